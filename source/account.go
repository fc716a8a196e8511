package source

import "sync"

// Account counts what calls that read a source at the same time have asked for ahead and not read yet, so that together they keep to
// [Ahead.Bytes], or, where calls come when all of that is taken, to little more. The zero value is an account of nothing. It is safe for
// concurrent use.
type Account struct {
	mu    sync.Mutex
	calls int
	idle  int // calls that hold nothing
	held  int64
}

// AccountOf returns the account of what can be told what will be read: its own, if it has one, as a [Cache] does, or a new one.
func AccountOf(p Prefetcher) *Account {
	if a, ok := p.(interface{ Account() *Account }); ok {
		return a.Account()
	}
	return new(Account)
}

// Join makes the share of one more call, of so many bytes in all.
func (a *Account) Join(bytes int64) *Share {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls++
	a.idle++
	return &Share{a: a, bytes: bytes}
}

// Share is what one call has to do with an account.
type Share struct {
	a     *Account
	bytes int64
	held  int64
}

// Most returns how many bytes should be asked for at once: what is left, or a small part of all, so that each call can ask once.
func (s *Share) Most() int64 {
	s.a.mu.Lock()
	defer s.a.mu.Unlock()
	return max(s.left(), s.small())
}

// Take counts n bytes, unless they are more than is left. A call that holds nothing may always take.
func (s *Share) Take(n int64) bool {
	s.a.mu.Lock()
	defer s.a.mu.Unlock()
	if s.held > 0 && n > s.left() {
		return false
	}
	s.add(n)
	return true
}

// left returns how many bytes may be asked for beside what is held and what other calls need that hold nothing.
func (s *Share) left() int64 {
	others := s.a.idle
	if s.held == 0 {
		others--
	}
	return s.bytes - s.a.held - int64(others)*s.small()
}

func (s *Share) small() int64 { return s.bytes / 4 / int64(s.a.calls) }

// Need counts n bytes that are waited for.
func (s *Share) Need(n int64) {
	s.a.mu.Lock()
	defer s.a.mu.Unlock()
	s.add(n)
}

// Give counts n bytes out again, which have been read.
func (s *Share) Give(n int64) { s.Need(-n) }

func (s *Share) add(n int64) {
	before := s.held
	s.held += n
	s.a.held += n
	switch {
	case before == 0 && s.held > 0:
		s.a.idle--
	case before > 0 && s.held == 0:
		s.a.idle++
	}
}

// Leave ends the share and gives all of it back.
func (s *Share) Leave() {
	s.a.mu.Lock()
	defer s.a.mu.Unlock()
	s.add(-s.held)
	s.a.calls--
	s.a.idle--
}
