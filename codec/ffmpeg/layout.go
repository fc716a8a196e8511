package ffmpeg

// picture is what a decoded frame tells of itself. The C type sprocket_picture has the same layout.
type picture struct {
	token                                      int64
	width, height, format, matrix, rng, errors int32
}

// scaling says how a scaler is to be made. The C type sprocket_scaling has the same layout.
type scaling struct {
	srcWidth, srcHeight, srcFormat int32
	dstWidth, dstHeight, dstFormat int32
	flags                          int32
	matrix                         int32 // AVColorSpace
	rng                            int32 // 0 limited, 1 full, -1 as the format has it
	chromaPos                      int32 // src_v_chr_pos
}

// store is one call to the kernels. The C type sprocket_store has the same layout.
type store struct {
	srcStride             int64
	dx, dy, dc            int64
	width, rows, channels int32
	wide, floats          int32
	set                   int32 // the kernels used at most: 0 the fastest of this machine, 1 plain, 2 SSSE3
}
