package source

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// network is how hosts are found and connected to.
type network struct {
	lookup func(ctx context.Context, network, host string) ([]netip.Addr, error)
	dial   func(ctx context.Context, network, address string, control control) (net.Conn, error)
}

// control is asked about an address before it is connected to. It may be nil.
type control = func(ctx context.Context, network, address string, c syscall.RawConn) error

func systemNetwork() *network {
	return &network{
		lookup: net.DefaultResolver.LookupNetIP,
		dial: func(ctx context.Context, network, address string, control control) (net.Conn, error) {
			d := net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second, ControlContext: control}
			return d.DialContext(ctx, network, address)
		},
	}
}

// connections are those of a source's own client. What must not lead to a private address has connections of its own: one that another
// request made would be used again without a look at where it leads.
type connections struct{ plain, guarded *http.Transport }

func newConnections(n *network) *connections {
	c := &connections{newTransport(), newTransport()}
	c.plain.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		return n.dial(ctx, network, address, nil)
	}
	c.guarded.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if c.toProxy(ctx, address) {
			return n.dial(ctx, network, address, nil)
		}
		return n.dial(ctx, network, address, refusePrivate)
	}
	return c
}

func newTransport() *http.Transport {
	t := &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, TLSHandshakeTimeout: 10 * time.Second}
	if d, ok := http.DefaultTransport.(*http.Transport); ok {
		t = d.Clone()
	}
	t.MaxIdleConnsPerHost = 16
	t.DialTLSContext = nil // it would go past DialContext
	return t
}

// toProxy says whether an address is that of the proxy by which a request goes: it is whoever runs the program that named it.
func (c *connections) toProxy(ctx context.Context, address string) bool {
	r := routeOf(ctx)
	if r == nil || c.guarded.Proxy == nil {
		return false
	}
	p, err := c.guarded.Proxy(&http.Request{URL: r.at.Load().url, Header: http.Header{}})
	return err == nil && p != nil && net.JoinHostPort(p.Hostname(), portOf(p)) == address
}

// RoundTrip sends a request by the connections that its route allows.
func (c *connections) RoundTrip(req *http.Request) (*http.Response, error) {
	if r := routeOf(req.Context()); r != nil && r.guard {
		return c.guarded.RoundTrip(req)
	}
	return c.plain.RoundTrip(req)
}

func (c *connections) closeIdle() {
	c.plain.CloseIdleConnections()
	c.guarded.CloseIdleConnections()
}

// route is where a request is led. It goes with the request's context.
type route struct {
	guard bool                   // to no private address
	at    atomic.Pointer[target] // what is asked now
}

type routeKey struct{}

func routeOf(ctx context.Context) *route {
	r, _ := ctx.Value(routeKey{}).(*route) // nil is the answer then
	return r
}

// watch returns the context of a request: it notes to what kind of address each connection leads, and ends the request where it must not be a private
// one.
func (h *HTTP) watch(ctx context.Context, r *route, cancel context.CancelCauseFunc) context.Context {
	ctx = context.WithValue(ctx, routeKey{}, r)
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) {
		addr, err := netip.ParseAddrPort(c.Conn.RemoteAddr().String())
		switch {
		case err != nil || !isPrivate(addr.Addr()) || h.proxied(r.at.Load().url):
			h.public.Store(true)
		case r.guard && h.direct:
			cancel(refused(addr.String()))
		}
	}})
}

// looksUp says whether names are looked up beforehand, because the connection tells nothing or is not the source's own.
func (h *HTTP) looksUp(u *url.URL) bool { return h.conns == nil || h.proxied(u) }

// proxied says whether what is at u is asked for by way of a proxy.
func (h *HTTP) proxied(u *url.URL) bool {
	if h.proxy == nil {
		return false
	}
	p, err := h.proxy(&http.Request{URL: u, Header: http.Header{}})
	return err != nil || p != nil
}

// isPublic says whether the source, or what led to it, is at a public address. Where the client's connections need not tell, names do.
func (h *HTTP) isPublic(ctx context.Context) bool {
	if h.conns != nil || h.public.Load() {
		return h.public.Load()
	}
	for _, t := range []*target{h.first, h.target.Load()} {
		addrs, err := h.addresses(ctx, t.url.Hostname())
		if err != nil || slices.ContainsFunc(addrs, func(a netip.Addr) bool { return !isPrivate(a) }) {
			h.public.Store(true) // a name that is not known here is somebody else's
			return true
		}
	}
	return false
}

// refuseName returns an error for a URL whose host is at a private address.
func (h *HTTP) refuseName(ctx context.Context, u *url.URL) error {
	host := u.Hostname()
	if _, err := netip.ParseAddr(host); err != nil && !isLocalhost(host) && !h.looksUp(u) {
		return nil // the connection is checked
	}
	addrs, err := h.addresses(ctx, host)
	if err == nil && slices.ContainsFunc(addrs, isPrivate) {
		return refused(host)
	}
	return nil // where it is not known the request will tell; behind a proxy names may be known there alone
}

// addresses returns those of a host.
func (h *HTTP) addresses(ctx context.Context, host string) ([]netip.Addr, error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{addr}, nil
	}
	if isLocalhost(host) {
		return []netip.Addr{netip.IPv6Loopback()}, nil
	}
	return h.net.lookup(ctx, "ip", host)
}

// isLocalhost says whether a name is one of this machine, RFC 6761, 6.3.
func isLocalhost(host string) bool {
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	return name == "localhost" || strings.HasSuffix(name, ".localhost")
}

// refusePrivate keeps connections from private addresses.
func refusePrivate(_ context.Context, _, address string, _ syscall.RawConn) error {
	addr, err := netip.ParseAddrPort(address)
	if err != nil || isPrivate(addr.Addr()) {
		return refused(address)
	}
	return nil
}

func refused(address string) error {
	return fmt.Errorf("private address %s named by a file at a public one: %w", address, ErrRefused)
}

// special are addresses that are no host's on the Internet, beyond those that netip knows.
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),     // RFC 1122, 3.2.1.3
	netip.MustParsePrefix("100.64.0.0/10"), // RFC 6598
	netip.MustParsePrefix("192.0.0.0/24"),  // RFC 6890
	netip.MustParsePrefix("198.18.0.0/15"), // RFC 2544
	netip.MustParsePrefix("240.0.0.0/4"),   // RFC 1112, 4
	netip.MustParsePrefix("fec0::/10"),     // RFC 3879
}

// carrying are the IPv6 addresses that stand for an IPv4 address, and at which byte of them it is.
var carrying = []struct {
	prefix netip.Prefix
	at     int
}{
	{netip.MustParsePrefix("::/96"), 12},          // RFC 4291, 2.5.5.1
	{netip.MustParsePrefix("64:ff9b::/96"), 12},   // RFC 6052
	{netip.MustParsePrefix("64:ff9b:1::/48"), 12}, // RFC 8215, with prefixes of 96 bits
	{netip.MustParsePrefix("2002::/16"), 2},       // RFC 3056
}

// isPrivate says whether an address is one that not everybody on the Internet could reach.
func isPrivate(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if !a.IsGlobalUnicast() || a.IsPrivate() {
		return true
	}
	for _, c := range carrying {
		if c.prefix.Contains(a) {
			b := a.As16()
			return isPrivate(netip.AddrFrom4([4]byte(b[c.at:])))
		}
	}
	return slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(a) })
}
