package source

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"syscall"
	"testing"
)

// publicConn is a connection that seems to lead to a public address.
type publicConn struct{ net.Conn }

func (publicConn) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort("203.0.113.7:80"))
}

// TestPublicNamesNoPrivate connects every name to one server, and makes some addresses look public.
func TestPublicNamesNoPrivate(t *testing.T) {
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if to := r.URL.Query().Get("to"); to != "" {
			http.Redirect(w, r, to, http.StatusFound)
			return
		}
		_, _ = w.Write([]byte("content"))
	}))
	defer web.Close()
	address := web.Listener.Addr().String()
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := (&net.Dialer{ControlContext: func(ctx context.Context, _, _ string, _ syscall.RawConn) error {
			if strings.HasPrefix(addr, "203.0.113.") { // what a name in the public address space is connected to
				return nil
			}
			return refusePrivate(ctx, "", addr, nil)
		}}).DialContext(ctx, network, address)
		if err == nil && strings.HasPrefix(addr, "203.0.113.") {
			c = publicConn{c}
		}
		return c, err
	}
	open := func(url string, allow bool) *HTTP {
		t.Helper()
		tr := &http.Transport{DialContext: dial}
		t.Cleanup(tr.CloseIdleConnections)
		h := &HTTP{name: url, stats: new(httpStats), trace: true, opts: HTTPOptions{AllowPrivate: allow, Retries: -1}}
		h.opts.fill()
		u, err := parseURL(url)
		if err != nil {
			t.Fatal(err)
		}
		h.first = newTarget(u, nil)
		h.target.Store(h.first)
		h.makeClient()
		h.client.Transport, h.transport, h.own = tr, tr, tr
		if _, _, err := h.open(t.Context()); err != nil {
			t.Fatal(err)
		}
		return h
	}
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
		{"public redirects to private", "http://203.0.113.1/list", "seg?to=http://192.168.0.1/", false, true},
		{"allowed", "http://203.0.113.1/list", "http://127.0.0.1/seg", true, false},
		{"private names private", "http://127.0.0.1/list", "http://10.1.2.3/seg", false, false},
		{"private names public", "http://127.0.0.1/list", "http://203.0.113.2/seg", false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := open(tt.from, tt.allow)
			_, err := h.OpenRef(t.Context(), tt.ref, RefOptions{})
			if errors.Is(err, ErrRefused) != tt.refused || err != nil && !tt.refused {
				t.Errorf("error = %v, refused must be %t", err, tt.refused)
			}
		})
	}
	t.Run("a chain", func(t *testing.T) {
		h := open("http://127.0.0.1/list", false)
		public, err := h.OpenRef(t.Context(), "http://203.0.113.2/low", RefOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := OpenRef(t.Context(), public, "http://127.0.0.1/seg", RefOptions{}); !errors.Is(err, ErrRefused) {
			t.Errorf("private to public to private: error = %v, want ErrRefused", err)
		}
	})
}

func TestIsPrivate(t *testing.T) {
	for text, want := range map[string]bool{
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
