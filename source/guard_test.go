package source

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// internet is a network in which one server is at every address. It redirects to what the parameter "to" says.
type internet struct {
	*httptest.Server
	hosts map[string]string // addresses of names
	moved map[string]string // what they are once they were looked up

	mu   sync.Mutex
	seen []*http.Request
}

func newInternet(t *testing.T, hosts map[string]string) *internet {
	t.Helper()
	n := &internet{hosts: hosts}
	n.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.mu.Lock()
		n.seen = append(n.seen, r)
		n.mu.Unlock()
		if to := r.URL.Query().Get("to"); to != "" {
			http.Redirect(w, r, to, http.StatusFound)
			return
		}
		_, _ = w.Write([]byte("content"))
	}))
	t.Cleanup(n.Close)
	return n
}

// asked returns the hosts that were asked since the last call, proxies being asked for others.
func (n *internet) asked() (hosts []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, r := range n.seen {
		hosts = append(hosts, r.Host)
	}
	n.seen = nil
	return hosts
}

func (n *internet) find(host string, hosts map[string]string) (netip.Addr, error) {
	if text, ok := hosts[host]; ok {
		host = text
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return addr, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	return addr, nil
}

func (n *internet) network() *network {
	return &network{
		lookup: func(_ context.Context, _, host string) ([]netip.Addr, error) {
			addr, err := n.find(host, n.hosts)
			return []netip.Addr{addr}, err
		},
		dial: n.dial,
	}
}

func (n *internet) dial(ctx context.Context, _, address string, control control) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	hosts := n.hosts
	if _, ok := n.moved[host]; ok {
		hosts = n.moved
	}
	addr, err := n.find(host, hosts)
	if err != nil {
		return nil, err
	}
	at := net.JoinHostPort(addr.String(), port)
	if control != nil {
		if err := control(ctx, "tcp", at, nil); err != nil {
			return nil, err
		}
	}
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", n.Listener.Addr().String())
	return leading{c, at}, err
}

// leading is a connection that seems to lead to an address.
type leading struct {
	net.Conn
	address string
}

func (c leading) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(c.address))
}

// open opens a URL. What is at hosts of .test is asked for by way of proxy, unless that is "".
func (n *internet) open(t *testing.T, rawURL, proxy string, o HTTPOptions) *HTTP {
	t.Helper()
	o.Retries = -1
	h, err := newHTTPOver(n.network(), rawURL, &o)
	if err != nil {
		t.Fatal(err)
	}
	if proxy != "" {
		h.proxy = func(r *http.Request) (*url.URL, error) {
			if strings.HasSuffix(r.URL.Host, ".test") {
				return url.Parse(proxy)
			}
			return nil, nil
		}
		h.conns.plain.Proxy, h.conns.guarded.Proxy = h.proxy, h.proxy
	}
	if h.own != nil {
		h.direct = false // its connections are to do without a look at where they lead
	}
	t.Cleanup(func() { _ = h.Close() }) // it cannot fail
	if _, _, err := h.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	return h
}

func wantRefused(t *testing.T, src Source, ref string, refused bool) {
	t.Helper()
	_, err := OpenRef(t.Context(), src, ref, RefOptions{})
	if errors.Is(err, ErrRefused) != refused || err != nil && !refused {
		t.Errorf("%s: error = %v, refused must be %t", ref, err, refused)
	}
}

func TestPublicNamesNoPrivate(t *testing.T) {
	n := newInternet(t, map[string]string{"0x7f.1": "127.0.0.1", "intranet": "10.0.0.1"})
	for _, tt := range []struct {
		name, from, ref string
		allow, refused  bool
	}{
		{"public names public", "http://203.0.113.1/list", "http://203.0.113.2/seg", false, false},
		{"public names itself", "http://203.0.113.1/list", "seg", false, false},
		{"public names loopback", "http://203.0.113.1/list", "http://127.0.0.1/seg", false, true},
		{"public names localhost", "http://203.0.113.1/list", "http://LocalHost./seg", false, true},
		{"public names private", "http://203.0.113.1/list", "http://10.1.2.3/seg", false, true},
		{"public names link-local", "http://203.0.113.1/list", "http://169.254.169.254/latest", false, true},
		{"public names private IPv6", "http://203.0.113.1/list", "http://[fd00::1]/seg", false, true},
		{"public names mapped loopback", "http://203.0.113.1/list", "http://[::ffff:127.0.0.1]/seg", false, true},
		{"public names an odd loopback", "http://203.0.113.1/list", "http://0x7f.1/seg", false, true},
		{"public names a private name", "http://203.0.113.1/list", "http://intranet/seg", false, true},
		{"public redirects to private", "http://203.0.113.1/list", "seg?to=http://192.168.0.1/", false, true},
		{"public redirects to a private name", "http://203.0.113.1/list", "seg?to=http://intranet/", false, true},
		{"allowed", "http://203.0.113.1/list", "http://127.0.0.1/seg", true, false},
		{"private names private", "http://127.0.0.1/list", "http://10.1.2.3/seg", false, false},
		{"private names public", "http://127.0.0.1/list", "http://203.0.113.2/seg", false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wantRefused(t, n.open(t, tt.from, "", HTTPOptions{AllowPrivate: tt.allow}), tt.ref, tt.refused)
		})
	}
	t.Run("a chain", func(t *testing.T) {
		h := n.open(t, "http://127.0.0.1/list", "", HTTPOptions{})
		public, err := h.OpenRef(t.Context(), "http://203.0.113.2/low", RefOptions{})
		if err != nil {
			t.Fatal(err)
		}
		wantRefused(t, public, "http://127.0.0.1/seg", true)
	})
}

// A connection to a private address that is there already is not used for what a public file names.
func TestPublicUsesNoConnectionOfPrivate(t *testing.T) {
	n := newInternet(t, map[string]string{"intranet": "10.0.0.1"})
	h := n.open(t, "http://intranet/master", "", HTTPOptions{})
	list, err := h.OpenRef(t.Context(), "http://203.0.113.2/list", RefOptions{})
	if err != nil {
		t.Fatal(err)
	}
	wantRefused(t, h, "http://intranet/seg", false)
	n.asked()
	wantRefused(t, list, "http://intranet/secret", true)
	if got := n.asked(); len(got) != 0 {
		t.Errorf("%q were asked", got)
	}
}

// Each step of a request is guarded by how that step goes: by a proxy or not.
func TestPublicBehindProxies(t *testing.T) {
	n := newInternet(t, map[string]string{"proxy.corp": "10.0.0.9", "secret.corp": "10.0.0.2", "secret.test": "10.0.0.3"})
	const proxy = "http://proxy.corp:3128"
	for _, tt := range []struct {
		name, ref string
		refused   bool
	}{
		{"proxied", "http://seg.test/", false},
		{"proxied, and private by its name", "http://secret.test/", true},
		{"proxied redirects to direct and public", "http://seg.test/?to=http://203.0.113.2/", false},
		{"proxied redirects to direct and private", "http://seg.test/?to=http://secret.corp/", true},
		{"proxied redirects to private by its name", "http://seg.test/?to=http://secret.test/", true},
		{"direct redirects to proxied", "http://203.0.113.2/?to=http://seg.test/", false},
		{"direct to private", "http://secret.corp/", true},
		{"the proxy itself", "http://proxy.corp:3128/", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n.asked()
			wantRefused(t, n.open(t, "http://list.test/", proxy, HTTPOptions{}), tt.ref, tt.refused)
			for _, host := range n.asked() {
				if strings.HasPrefix(host, "secret") || strings.HasPrefix(host, "proxy") {
					t.Errorf("%s was asked", host)
				}
			}
		})
	}
}

// With a client of the caller's names are looked up, and the addresses looked at of connections that are known to be no proxy's.
func TestPublicWithTheCallersClient(t *testing.T) {
	n := newInternet(t, map[string]string{"public": "203.0.113.1", "intranet": "10.0.0.1", "rebound": "203.0.113.2", "proxy.corp": "10.0.0.9"})
	n.moved = map[string]string{"rebound": "10.0.0.1"}
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		return n.dial(ctx, network, address, nil)
	}
	plain := &http.Transport{DialContext: dial}
	proxied := &http.Transport{DialContext: dial, Proxy: func(*http.Request) (*url.URL, error) { return url.Parse("http://proxy.corp") }}
	untold := &http.Transport{DialContext: dial}
	for name, client := range map[string]http.RoundTripper{
		"connections tell": plain,
		"a proxy's":        proxied,
		"connections tell nothing": roundTrip(func(r *http.Request) (*http.Response, error) {
			return untold.RoundTrip(r.Clone(context.Background()))
		}),
	} {
		for _, tt := range []struct {
			from, ref string
			refused   bool
		}{
			{"http://public/list", "seg", false},
			{"http://public/list", "http://intranet/seg", true},
			{"http://public/list", "seg?to=http://intranet/", true},
			{"http://public/list", "http://unknown/seg", false}, // or it fails
			{"http://public/list", "http://rebound/seg", client == plain},
			{"http://intranet/list", "http://10.0.0.7/seg", client == proxied}, // what a proxy gives is taken for public
		} {
			t.Run(fmt.Sprintf("%s: %s names %s", name, tt.from, tt.ref), func(t *testing.T) {
				h := n.open(t, tt.from, "", HTTPOptions{Client: &http.Client{Transport: client}})
				_, err := h.OpenRef(t.Context(), tt.ref, RefOptions{})
				if errors.Is(err, ErrRefused) != tt.refused || err != nil && !tt.refused && !strings.Contains(tt.ref, "unknown") {
					t.Errorf("error = %v, refused must be %t", err, tt.refused)
				}
			})
		}
	}
}

func TestIsPrivate(t *testing.T) {
	for text, want := range map[string]bool{
		"198.17.255.255": false, "198.20.0.1": false, "192.0.1.1": false, "2002:808:808::1": false, "64:ff9b:1::808:808": false, "::808:808": false,
		"::127.0.0.1": true, "::10.0.0.1": true, "fec0::1": true, "2002:a00:1::1": true, "2002:7f00:1::": true, "64:ff9b:1::10.0.0.1": true,
		"198.18.0.1": true, "198.19.255.255": true, "192.0.0.1": true, "240.0.0.1": true, "64:ff9b::198.18.0.1": true,
		"8.8.8.8": false, "2606:4700::1111": false, "172.32.0.1": false, "64:ff9b::808:808": false,
		"127.0.0.1": true, "10.0.0.1": true, "172.16.0.1": true, "192.168.1.1": true, "169.254.169.254": true, "100.64.0.1": true,
		"0.0.0.0": true, "0.1.2.3": true, "224.0.0.1": true, "255.255.255.255": true, "::1": true, "::": true, "fe80::1": true,
		"fd12::1": true, "ff02::1": true, "::ffff:10.0.0.1": true, "64:ff9b::a00:1": true, "fe80::1%eth0": true,
	} {
		if got := isPrivate(netip.MustParseAddr(text)); got != want {
			t.Errorf("isPrivate(%s) = %t, want %t", text, got, want)
		}
	}
}
