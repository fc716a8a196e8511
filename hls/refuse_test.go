package hls

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/source"
)

// publicConn is a connection that seems to lead to a public address.
type publicConn struct{ net.Conn }

func (publicConn) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort("203.0.113.7:80"))
}

// TestHostilePlaylists opens playlists from a public address that name what they must not, in every place where something is named. Every address
// leads to one server, which would answer.
func TestHostilePlaylists(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("0123456789abcdef"), 0o600); err != nil {
		t.Fatal(err)
	}
	const head, end = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n", "#EXT-X-ENDLIST\n"
	places := map[string]string{ // where NAME stands
		"the first segment":  head + "#EXTINF:4,\nNAME\n" + end,
		"a later segment":    head + "#EXTINF:4,\n0.aac\n#EXTINF:4,\nNAME\n" + end,
		"a map":              head + "#EXT-X-MAP:URI=\"NAME\"\n#EXTINF:4,\n0.aac\n" + end,
		"a later map":        head + "#EXTINF:4,\n0.aac\n#EXT-X-MAP:URI=\"NAME\"\n#EXTINF:4,\n1.aac\n" + end,
		"a key":              head + "#EXT-X-KEY:METHOD=AES-128,URI=\"NAME\"\n#EXTINF:4,\n0.aac\n" + end,
		"a later key":        head + "#EXTINF:4,\n0.aac\n#EXT-X-KEY:METHOD=AES-128,URI=\"NAME\"\n#EXTINF:4,\n1.aac\n" + end,
		"the key of a map":   head + "#EXT-X-KEY:METHOD=AES-128,URI=\"NAME\",IV=0x1\n#EXT-X-MAP:URI=\"0.aac\"\n#EXT-X-KEY:METHOD=NONE\n#EXTINF:4,\n0.aac\n" + end,
		"a variant":          "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS=\"mp4a.40.2\"\nNAME\n",
		"an unknown variant": "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nNAME\n",
		"a rendition":        "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"n\",URI=\"NAME\"\n",
	}
	names := map[string]string{
		"a file":               "file://" + secret,
		"a path of a file":     "file:" + secret,
		"ftp":                  "ftp://203.0.113.9/x",
		"a private address":    "http://10.1.2.3/x",
		"a link-local one":     "http://169.254.169.254/latest/meta-data",
		"IPv6":                 "http://[::1]/x",
		"a private name":       "http://localhost/x",
		"without a scheme":     "//10.1.2.3/x",
		"a redirect":           "away?to=http://10.1.2.3/x",
		"two redirects":        "away?to=http://203.0.113.8/away%3Fto=http://localhost/x",
		"a redirect to a file": "away?to=file://" + secret,
		"a variable":           "{$part}1.2.3/x",
		"a parameter":          "{$param}/x",
	}
	var list string
	var mu sync.Mutex
	var strange []string
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.Host, "203.0.113.") {
			mu.Lock()
			strange = append(strange, r.Host+r.URL.Path)
			mu.Unlock()
		}
		switch r.URL.Path {
		case "/list.m3u8":
			_, _ = io.WriteString(w, list)
		case "/away":
			http.Redirect(w, r, r.URL.Query().Get("to"), http.StatusFound)
		default:
			_, _ = w.Write(frames(0))
		}
	}))
	defer web.Close()
	transport := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, network, web.Listener.Addr().String())
		return publicConn{c}, err
	}}
	defer transport.CloseIdleConnections()
	read := func(t *testing.T, o source.HTTPOptions) error {
		o.Client, o.Retries = &http.Client{Transport: transport}, -1
		src, err := source.OpenRemote(t.Context(), "http://203.0.113.1/list.m3u8?param=http://10.1.2.3", &source.RemoteOptions{HTTP: o})
		if err != nil {
			t.Fatal(err)
		}
		defer src.Close()
		d, err := Open(t.Context(), source.Count(src), &Options{Options: container.Options{Select: func([]container.Track) []int { return []int{0} }}})
		if err != nil {
			return err
		}
		defer d.Close()
		for _, err = range d.List(t.Context(), 0, container.PacketInfo{}) {
			if err != nil {
				break
			}
		}
		return err
	}
	for place, text := range places {
		for what, name := range names {
			t.Run(place+"/"+what, func(t *testing.T) {
				list = strings.Replace(text, "#EXTM3U\n", "#EXTM3U\n#EXT-X-DEFINE:NAME=\"part\",VALUE=\"http://10.\"\n#EXT-X-DEFINE:QUERYPARAM=\"param\"\n", 1)
				list = strings.Replace(list, "NAME\n", name+"\n", 1)
				list = strings.Replace(list, "\"NAME\"", "\""+name+"\"", 1)
				err := read(t, source.HTTPOptions{})
				if what == "a redirect to a file" { // no server may send a client there, whoever named it
					if err == nil || !strings.Contains(err.Error(), `redirect refused: to scheme "file"`) {
						t.Errorf("error = %v, want that the redirect is refused", err)
					}
				} else if !errors.Is(err, source.ErrRefused) {
					t.Errorf("error = %v, want ErrRefused", err)
				}
				mu.Lock()
				if strange != nil {
					t.Errorf("%v were asked for", strange)
				}
				strange = nil
				mu.Unlock()
			})
		}
	}
	// The same names are followed where the caller allows it: so it is the refusal that keeps them from being asked for.
	list = strings.Replace(places["the first segment"], "NAME", names["a private address"], 1)
	if err := read(t, source.HTTPOptions{AllowPrivate: true}); err != nil || len(strange) != 1 {
		t.Errorf("allowed: %v were asked for, error = %v", strange, err)
	}
}
