package source

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// target is where requests go: a URL without credentials, and the headers for it. It never changes.
type target struct {
	url    *url.URL
	header http.Header
}

var (
	errScheme   = errors.New("not an http or https URL")
	errRedirect = errors.New("redirect refused")
)

func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || !isHTTP(u) { // the error would show parts of the URL
		return nil, errScheme
	}
	return u, nil
}

func isHTTP(u *url.URL) bool { return (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" }

func newTarget(u *url.URL, header http.Header) *target {
	t := &target{header: header.Clone()}
	if t.header == nil {
		t.header = http.Header{}
	}
	clean := *u
	clean.User, clean.Fragment, clean.RawFragment = nil, "", ""
	t.url = &clean
	if u.User != nil && t.header.Get("Authorization") == "" {
		password, _ := u.User.Password() // none is an empty one
		t.header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+password)))
	}
	return t
}

// RedactURL returns a URL, of whatever scheme, without its user, its password and what its query says, for people to read. Text without
// "://" is returned as it is.
func RedactURL(text string) string {
	if !strings.Contains(text, "://") {
		return text
	}
	text, _, _ = strings.Cut(text, "#")
	text, _, query := strings.Cut(text, "?")
	scheme, rest, _ := strings.Cut(text, "://")
	host, path, slash := strings.Cut(rest, "/")
	if i := strings.LastIndexByte(host, '@'); i >= 0 {
		host = host[i+1:]
	}
	if _, err := url.Parse(scheme + "://" + host); err != nil { // a password with odd characters, perhaps
		return scheme + "://…"
	}
	text = scheme + "://" + host
	if slash {
		text += "/" + path
	}
	if query {
		text += "?…"
	}
	return text
}

// HTTPError is a failed open or read of a file on a server.
type HTTPError struct {
	Op       string // "open", "read"
	URL      string // without credentials and query
	Off, Len int64  // what was asked for; Off is -1 before there is a request
	Status   int    // of the last response; 0 when there is none
	Attempts int    // that were made without progress
	Err      error

	retry bool          // another attempt may go better
	gone  bool          // a redirect may lead elsewhere by now
	at    *target       // where the request went first; nil where there was none
	after time.Duration // what Retry-After asks for
}

// Error returns "http: read https://host/path: bytes 0-99: 503 Service Unavailable (6 attempts)".
func (e *HTTPError) Error() string {
	b := fmt.Appendf(nil, "http: %s %s: ", e.Op, e.URL)
	if e.Off >= 0 && e.Len > 0 {
		b = fmt.Appendf(b, "bytes %d-%d: ", e.Off, e.Off+e.Len-1)
	}
	if e.Status != 0 {
		b = append(b, strings.TrimSpace(fmt.Sprintf("%d %s", e.Status, http.StatusText(e.Status)))...)
		if e.Err != nil {
			b = append(b, ": "...)
		}
	}
	if e.Err != nil {
		b = append(b, e.Err.Error()...)
	}
	if e.Attempts > 1 {
		b = fmt.Appendf(b, " (%d attempts)", e.Attempts)
	}
	return string(b)
}

// Unwrap returns the cause, which is nil when it is the status alone.
func (e *HTTPError) Unwrap() error { return e.Err }
