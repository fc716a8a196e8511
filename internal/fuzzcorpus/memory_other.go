//go:build !linux

package main

// measuring is nothing where the kernel does not tell of peaks as Linux does: memory is not checked there.
type measuring struct{}

func startMeasuring(int64) (measuring, error) { return measuring{}, nil }

func (measuring) stop() (most, taken int64, err error) { return 0, 0, nil }
