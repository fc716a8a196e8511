package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"
)

// measuring is a stretch of time of which the memory is known to the page.
type measuring struct{ resident, data int64 }

// backstop is what may be taken beyond the ceiling before the kernel refuses, so that a wild allocation costs the process, not the machine.
const backstop = 1 << 30

const rlimitData = 2 // RLIMIT_DATA, setrlimit(2): since Linux 4.7 all private writable mappings

// startMeasuring forgets the peak so far. The process dies when it takes much more than most bytes.
func startMeasuring(most int64) (measuring, error) {
	// proc(5): 5 resets the peak of the resident set.
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		return measuring{}, err
	}
	var m measuring
	var err error
	if m.resident, m.data, _, err = status(); err != nil {
		return m, err
	}
	limit := syscall.Rlimit{}
	if err := syscall.Getrlimit(rlimitData, &limit); err != nil {
		return m, err
	}
	limit.Cur = min(uint64(m.data+most+backstop), limit.Max)
	return m, syscall.Setrlimit(rlimitData, &limit)
}

// stop returns how much more was held, at most, than when the measuring began, and how much more address space is.
//
// Pages that were touched show in the peak of the resident set. Those that were asked for and never touched do not, but the Go runtime
// gives no address space back, so its growth has those too.
func (m measuring) stop() (most, taken int64, err error) {
	_, data, peak, err := status()
	return max(peak-m.resident, data-m.data), data - m.data, err
}

// status reads the resident set, the writable private mappings, and the peak of the former, in bytes.
func status() (resident, data, peak int64, err error) {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, 0, 0, err
	}
	for name, v := range map[string]*int64{"VmRSS:": &resident, "VmData:": &data, "VmHWM:": &peak} {
		_, after, ok := bytes.Cut(b, []byte("\n"+name))
		line, _, _ := bytes.Cut(after, []byte(" kB\n"))
		n, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 10, 64)
		if !ok || err != nil {
			return 0, 0, 0, fmt.Errorf("/proc/self/status has no %s", name)
		}
		*v = n << 10
	}
	return resident, data, peak, nil
}
