package main

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// The network that is simulated.
const (
	netLatency = 50 * time.Millisecond // before each response begins
	netRate    = 100_000_000 / 8       // bytes a second, over all connections together
	netChunk   = 16 << 10
	netLate    = 20 * time.Millisecond // timers are late: what they cost a line that is not idle is made up for
)

// slowServer serves files of a directory over a slow network, and counts.
type slowServer struct {
	url             string
	server          *http.Server
	done            chan error
	requests, bytes atomic.Int64

	mu   sync.Mutex
	free time.Time // when the line is free again
}

func startSlowServer(dir string) (*slowServer, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &slowServer{url: "http://" + l.Addr().String() + "/", done: make(chan error, 1)}
	s.server = &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.requests.Add(1)
		time.Sleep(netLatency)
		f, err := os.Open(filepath.Join(dir, filepath.Base(r.URL.Path)))
		if err != nil {
			http.NotFound(w, r)
			return
		}
		defer func() { _ = f.Close() }() // only read
		w.Header().Set("ETag", `"one"`)
		http.ServeContent(&slowWriter{w, s, r.Context()}, r, "clip.mp4", time.Time{}, f)
	})}
	go func() { s.done <- s.server.Serve(l) }()
	return s, nil
}

func (s *slowServer) close() {
	_ = s.server.Close() // nobody is served any more
	<-s.done
}

// wait waits until n bytes have gone over the line.
func (s *slowServer) wait(ctx context.Context, n int) error {
	s.mu.Lock()
	now := time.Now()
	if s.free.Before(now.Add(-netLate)) {
		s.free = now
	}
	s.free = s.free.Add(time.Duration(n) * time.Second / netRate)
	left := s.free.Sub(now)
	s.mu.Unlock()
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done(): // the client has hung up
		return ctx.Err()
	}
}

// slowWriter is a response on the slow line.
type slowWriter struct {
	http.ResponseWriter
	s   *slowServer
	ctx context.Context
}

func (w *slowWriter) Write(p []byte) (n int, err error) {
	for len(p) > 0 {
		chunk := p[:min(len(p), netChunk)]
		if err := w.s.wait(w.ctx, len(chunk)); err != nil {
			return n, err
		}
		k, err := w.ResponseWriter.Write(chunk)
		w.s.bytes.Add(int64(k))
		if n += k; err != nil {
			return n, err
		}
		p = p[k:]
	}
	return n, nil
}
