package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sprocket-video/sprocket/internal/testmedia"
)

// Whatever goes wrong with a URL, nobody reads its password or the signature in its query on the screen.
func TestURLsAreShownWithoutSecrets(t *testing.T) {
	t.Chdir(t.TempDir())
	movie := testmedia.MP4(twoTracks())
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/none":
			w.WriteHeader(http.StatusNotFound)
		case "/text":
			_, _ = w.Write([]byte("this is no movie"))
		case "/cut": // without ranges
			_, _ = w.Write(movie[:len(movie)/2])
		case "/away":
			http.Redirect(w, r, "http://me:hunter2@127.0.0.1:1/x?sig=s3cret", http.StatusFound)
		case "/list.m3u8":
			_, _ = w.Write([]byte("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n/none?sig=s3cret\n#EXT-X-ENDLIST\n"))
		default:
			_, _ = w.Write(movie)
		}
	}))
	t.Cleanup(s.Close)
	served := strings.Replace(s.URL, "://", "://me:hunter2@", 1)
	for _, url := range []string{
		served + "/none", served + "/text", served + "/cut", served + "/away", served + "/list.m3u8", served + "/movie",
		"http://me:hunter2@127.0.0.1:1/x", "http://me:hunter2@[/x", "rtsp://me:hunter2@host/x", "s3://me:hunter2@host/x", "https://me:hunter2@/x",
	} {
		url += "?sig=s3cret"
		for _, args := range [][]string{
			{"inspect", url}, {"inspect", url, "extra"}, {"inspect", url, "--verify"}, {"inspect", url, "--json"}, {"packets", url},
			{"packets", url, "--track", "99"}, {"packets", url, "--spool"}, {"index", url, "-o", "x"}, {"frames", url, "--at", "0", "-o", "x.npy"},
			{"frames", url, "--at", "99", "-o", "dir", "--stats"}, {"frames", "--at", "0", "-o", url, url}, {"frames", "--at", "0", "-o", url + ".npy", "none"},
			{"frames", "--at", "0", "-o", "x.npy", "--index", url, url}, {"framehash", url}, {"conformance", url}, {url}, {"help", url}, {"inspect", url, "--track"},
		} {
			_, out, errs := sprocketIn(t, "", args...)
			if text := out + errs; strings.Contains(text, "hunter2") || strings.Contains(text, "s3cret") {
				t.Errorf("%q prints %q", args, text)
			}
		}
	}
}
