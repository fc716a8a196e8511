package bitstream

// Halves returns where the second access unit of a packet of H.264 begins, or 0 when there is one only. The two fields of a frame are access units of
// their own, which may share a packet; after the slices of the first, a delimiter, parameter sets or SEI begin the second (ITU-T H.264, 7.4.1.2.3).
func Halves(config, data []byte) int {
	units := nals{data, LengthSize("h264", config)}
	for slices := false; ; {
		nal, _, ok := units.next()
		if !ok || len(nal) == 0 {
			return 0
		}
		switch kind := nal[0] & 31; {
		case kind >= 1 && kind <= 5:
			slices = true
		case slices && kind >= 6 && kind <= 9:
			at := len(data) - len(units.data) - len(nal) - units.size
			if units.size == 0 {
				for at -= len(startCodePrefix); data[at-1] == 0; { // slices end with another byte, 7.4.1
					at--
				}
			}
			return at
		}
	}
}
