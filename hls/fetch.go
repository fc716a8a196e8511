package hls

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/sprocket-video/sprocket/container"
	"github.com/sprocket-video/sprocket/source"
)

const (
	maxInit   = 16 << 20 // bytes of a map
	maxBlobs  = 1024     // maps and keys that are kept
	blobBytes = 32 << 20 // of them together
)

// blobs are maps and keys, by what names them.
type blobs = cache[string, []byte]

// blob returns a map or a key that is kept, or fetches it.
func (s *stream) blob(ctx context.Context, name string, fetch func() ([]byte, error)) ([]byte, error) {
	data, done, err := s.d.blobs.use(ctx, name, fetch)
	if err == nil {
		done() // it does not change, and whoever has it keeps it
	}
	return data, err
}

// protection says which of the alternative keys decrypts whole segments. scheme names what is protected otherwise, in a way that is not
// undone here.
func protection(keys []*Key) (k *Key, scheme string) {
	for _, k := range keys {
		if k.Method == "AES-128" && k.Format == "identity" {
			return k, ""
		}
	}
	if len(keys) > 0 {
		return nil, strings.ToLower(keys[0].Method)
	}
	return nil, ""
}

// load returns a segment, or a map, in the clear. What must be closed is the caller's to close.
func (s *stream) load(ctx context.Context, ref string, r ByteRange, keys []*Key, sequence int64, most int64) (source.Source, error) {
	k, scheme := protection(keys)
	switch {
	case scheme == "aes-128":
		return nil, unsupported("key format %q", clip(keys[0].Format))
	case scheme != "" && !strings.HasPrefix(scheme, "sample-aes"): // of those the containers are in the clear
		return nil, unsupported("encryption method %q", clip(keys[0].Method))
	}
	if k != nil { // without it there is no use in the segment
		if _, err := s.key(ctx, k); err != nil {
			return nil, err
		}
	}
	o := source.RefOptions{Off: r.Off, Len: r.Len, Max: most}
	if d, live := s.patience(); live {
		o.RetryTime = d
	}
	src, err := source.OpenRef(ctx, s.place(), ref, o)
	if err != nil {
		return nil, limited(err)
	}
	if r.Len > 0 && src.Size() < r.Len {
		err := fmt.Errorf("%d of %d bytes at %d: %w", src.Size(), r.Len, r.Off, io.ErrUnexpectedEOF)
		return nil, errors.Join(err, source.CloseRef(src))
	}
	if k == nil {
		return src, nil
	}
	data, err := s.decrypt(ctx, src, k, sequence, most)
	if e := source.CloseRef(src); err == nil {
		err = e
	}
	if err != nil {
		return nil, err
	}
	return bytes.NewReader(data), nil
}

// errSilent: a server that should answer at once does not.
var errSilent = errors.New("no answer")

// small opens a playlist or a key. Of a live playlist the answer must come, and be whole, before the playlist has stalled.
func (s *stream) small(ctx context.Context, from source.Source, ref string, most int64) (source.Source, error) {
	o := source.RefOptions{Max: most}
	within := ctx
	if d, live := s.patience(); live {
		o.RetryTime = d
		var cancel context.CancelFunc
		within, cancel = context.WithTimeout(ctx, stalls*d)
		defer cancel()
	}
	src, err := source.OpenRef(within, from, ref, o)
	if err != nil && within.Err() != nil && ctx.Err() == nil {
		err = fmt.Errorf("%w: %v", errSilent, err)
	}
	return src, limited(err)
}

// limited gives what is too large the error of this package's limits.
func limited(err error) error {
	if errors.Is(err, source.ErrTooLarge) {
		return fmt.Errorf("%w: %w", container.ErrLimit, err)
	}
	return err
}

// decrypt undoes AES-128: CBC over the whole segment, padded after PKCS #7, 5.2. A key that does not fit is fetched again, once: it may
// have changed.
func (s *stream) decrypt(ctx context.Context, src source.Source, k *Key, sequence int64, most int64) ([]byte, error) {
	if src.Size() > most {
		return nil, fmt.Errorf("%w: encrypted segment of %d bytes", container.ErrLimit, src.Size())
	}
	sealed, err := readAll(ctx, src)
	if err != nil {
		return nil, err
	}
	if len(sealed) == 0 || len(sealed)%aes.BlockSize != 0 {
		return nil, fmt.Errorf("encrypted segment of %d bytes, which are no whole blocks: %w", len(sealed), container.ErrCorrupt)
	}
	iv := k.VectorFor(sequence)
	for attempt := 0; ; attempt++ {
		key, err := s.key(ctx, k)
		if err != nil {
			return nil, err
		}
		c, err := aes.NewCipher(key)
		if err != nil {
			return nil, err // it has 16 bytes
		}
		clear := make([]byte, len(sealed))
		cipher.NewCBCDecrypter(c, iv[:]).CryptBlocks(clear, sealed)
		pad := int(clear[len(clear)-1])
		if pad >= 1 && pad <= aes.BlockSize && bytes.Equal(clear[len(clear)-pad:], bytes.Repeat([]byte{byte(pad)}, pad)) {
			return clear[:len(clear)-pad], nil
		}
		if attempt > 0 {
			return nil, fmt.Errorf("it does not decrypt with key %s of line %d: another key, or damage: %w", clip(shown(k.URI)), k.Line, container.ErrCorrupt)
		}
		s.d.blobs.forget(s.keyName(k))
	}
}

// keyName names a key in what is kept: a relative name means another file in another place.
func (s *stream) keyName(k *Key) string { return "key " + s.ref + " " + k.URI }

// key returns the 16 bytes of a key.
func (s *stream) key(ctx context.Context, k *Key) ([]byte, error) {
	located := func(err error) error {
		return fail("read", fmt.Sprintf("key %s of line %d", clip(shown(k.URI)), k.Line), err)
	}
	return s.blob(ctx, s.keyName(k), func() ([]byte, error) {
		if rest, ok := strings.CutPrefix(k.URI, "data:"); ok {
			data, err := dataURL(rest)
			if err == nil && len(data) != 16 {
				err = fmt.Errorf("%d bytes: %w", len(data), container.ErrCorrupt)
			}
			if err != nil {
				return nil, fail("read", fmt.Sprintf("key of line %d", k.Line), err)
			}
			return data, nil
		}
		src, err := s.small(ctx, s.place(), k.URI, 1<<10)
		if err != nil {
			return nil, located(err)
		}
		defer source.CloseRef(src)
		if src.Size() != 16 {
			return nil, located(fmt.Errorf("%d bytes: %w", src.Size(), container.ErrCorrupt))
		}
		data, err := readAll(ctx, src)
		if err != nil {
			return nil, located(err)
		}
		return data, nil
	})
}

// dataURL returns what a data URL holds, RFC 2397.
func dataURL(rest string) ([]byte, error) {
	head, body, ok := strings.Cut(rest, ",")
	if !ok {
		return nil, fmt.Errorf("data URL without data: %w", container.ErrCorrupt)
	}
	text, err := url.PathUnescape(body)
	if err == nil && strings.HasSuffix(head, ";base64") {
		var data []byte
		if data, err = base64.StdEncoding.DecodeString(text); err == nil {
			return data, nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("data URL: %v: %w", err, container.ErrCorrupt)
	}
	return []byte(text), nil
}

// initBytes returns what must come before a segment: the bytes that its EXT-X-MAP names.
func (s *stream) initBytes(ctx context.Context, m *Map, sequence int64) ([]byte, error) {
	if m == nil {
		return nil, nil
	}
	name := fmt.Sprintf("map %s %s %d %d", s.ref, m.URI, m.Range.Off, m.Range.Len)
	if k, _ := protection(m.Keys); k != nil {
		name += fmt.Sprintf(" %s %x", k.URI, k.VectorFor(sequence))
	}
	return s.blob(ctx, name, func() ([]byte, error) {
		src, err := s.load(ctx, m.URI, m.Range, m.Keys, sequence, maxInit)
		var data []byte
		if err == nil {
			defer source.CloseRef(src)
			if src.Size() > maxInit {
				err = fmt.Errorf("%w: %d bytes", container.ErrLimit, src.Size())
			} else {
				data, err = readAll(ctx, src)
			}
		}
		if err != nil {
			return nil, fail("read", fmt.Sprintf("map %s of line %d", clip(shown(m.URI)), m.Line), err)
		}
		return data, nil
	})
}

// behind is a source with some bytes before it.
type behind struct {
	head []byte
	source.Source
}

func (b *behind) Size() int64 { return int64(len(b.head)) + b.Source.Size() }

func (b *behind) ReadAt(p []byte, off int64) (int, error) {
	return b.ReadAtContext(context.Background(), p, off)
}

func (b *behind) ReadAtContext(ctx context.Context, p []byte, off int64) (int, error) {
	n := 0
	if off >= 0 && off < int64(len(b.head)) {
		n = copy(p, b.head[off:])
	}
	if n == len(p) {
		return n, nil
	}
	k, err := source.ReadSome(ctx, b.Source, p[n:], off+int64(n)-int64(len(b.head)))
	if err == nil && n+k < len(p) {
		err = io.EOF
	}
	return n + k, err
}
