package source

import (
	"context"
	"crypto/x509"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"syscall"
	"time"
)

// minProgress is how many bytes an attempt must bring at least to count as progress.
const minProgress = 1 << 10

// retrier decides whether a read goes on after a fault.
type retrier struct {
	h        *HTTP
	attempts int       // without progress
	since    time.Time // when there was progress last
}

func (h *HTTP) retrier() *retrier { return &retrier{h: h, since: time.Now()} }

// progress notes that n bytes came. They are progress when they came no slower than a response must be since there was progress last, whatever
// the time was spent on: else a server that drips, and stalls in between, could hold a read for as long as it likes.
func (r *retrier) progress(n int) bool {
	now := time.Now()
	if n < minProgress || float64(n) < float64(r.h.opts.MinRate)*now.Sub(r.since).Seconds() {
		return false
	}
	r.attempts, r.since = 0, now
	return true
}

// again waits until the next attempt, or returns why there is none. got is how many bytes the failed one brought.
func (r *retrier) again(ctx context.Context, e *HTTPError, got int) error {
	o := &r.h.opts
	if err := ctx.Err(); err != nil {
		e.Err, e.Status = err, 0
		return e
	}
	moved := r.progress(got)
	r.attempts++
	e.Attempts = r.attempts
	if e.gone && e.at != nil && e.at != r.h.first { // many may find the same link expired: all of them ask for another
		r.h.target.CompareAndSwap(e.at, r.h.first)
		e.retry = true
	}
	if !e.retry || r.attempts > o.Retries {
		return e
	}
	var wait time.Duration
	if !moved { // a response that broke is resumed at once
		wait = o.Backoff << min(r.attempts-1, 20)
		wait = wait/2 + rand.N(wait/2+1)
	}
	wait = min(max(wait, e.after), o.MaxWait)
	if time.Since(r.since)+wait > o.RetryTime {
		return e
	}
	r.h.stats.retries.Add(1)
	if wait <= 0 {
		return nil
	}
	start := time.Now()
	defer func() { r.h.stats.waited.Add(int64(time.Since(start))) }()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		e.Err, e.Status = ctx.Err(), 0
		return e
	}
}

// statusError makes the error of a response that is none of those asked for.
func statusError(resp *http.Response) *HTTPError {
	e := &HTTPError{Status: resp.StatusCode}
	switch s := resp.StatusCode; {
	case s == http.StatusRequestTimeout, s == http.StatusTooEarly, s == http.StatusTooManyRequests:
		e.retry = true
	case s >= 500:
		e.retry = s != http.StatusNotImplemented && s != http.StatusHTTPVersionNotSupported
	case s == http.StatusUnauthorized, s == http.StatusForbidden, s == http.StatusNotFound, s == http.StatusGone:
		e.gone = true
	}
	if e.retry {
		e.after = retryAfter(resp.Header.Get("Retry-After"), time.Now())
	}
	return e
}

// retryAfter returns how long a Retry-After header, seconds or a date, asks to wait.
func retryAfter(text string, now time.Time) time.Duration {
	if s, err := strconv.ParseInt(text, 10, 64); err == nil && s >= 0 {
		return time.Duration(min(s, 1<<30)) * time.Second
	}
	if t, err := http.ParseTime(text); err == nil {
		return max(t.Sub(now), 0)
	}
	return 0
}

// sendError makes the error of a request that got no response. met says whether the host has answered before.
func sendError(err error, met bool) *HTTPError {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err // the whole error shows the URL
	}
	e := &HTTPError{Err: err, retry: true, gone: true}
	dns, isDNS := errors.AsType[*net.DNSError](err)
	switch {
	case errors.Is(err, errRedirect), errors.Is(err, ErrRefused), isDNS && dns.IsNotFound, isCertificate(err):
		e.retry = false
	case !met && errors.Is(err, syscall.ECONNREFUSED): // nobody is there, rather than away for a moment
		e.retry = false
	}
	return e
}

func isCertificate(err error) bool {
	_, authority := errors.AsType[x509.UnknownAuthorityError](err)
	_, host := errors.AsType[x509.HostnameError](err)
	_, invalid := errors.AsType[x509.CertificateInvalidError](err)
	return authority || host || invalid
}
