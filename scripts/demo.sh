#!/bin/sh
# Makes a clip and shows what sprocket does with it. Leaves everything in demo/.
set -eu

cd "$(dirname "$0")/.."
sprocket=bin/sprocket
dir=demo
clip=$dir/clip.mp4

command -v ffmpeg >/dev/null 2>&1 || { echo "demo: ffmpeg is missing: run make setup" >&2; exit 1; }
[ -x "$sprocket" ] || { echo "demo: $sprocket is missing: run make build" >&2; exit 1; }
mkdir -p "$dir"

# show COMMAND...: says what is run, then runs it.
show() {
	printf '\n$ %s\n' "$*"
	"$@"
}

echo "demo: making $clip: 10 s, 640x360, H.264 with B-frames, AAC"
ffmpeg -nostdin -v error -y \
	-f lavfi -i 'mandelbrot=size=640x360:rate=30:start_scale=2.5:end_scale=0.002:end_pts=330:maxiter=400' \
	-f lavfi -i 'sine=frequency=440:sample_rate=48000' -t 10 \
	-c:v libx264 -preset veryfast -bf 3 -g 60 -pix_fmt yuv420p \
	-colorspace bt709 -color_primaries bt709 -color_trc bt709 -color_range tv \
	-c:a aac -b:a 96k -movflags +faststart "$clip"

show $sprocket inspect "$clip"
printf '\n$ %s packets %s | head -n 8\n' "$sprocket" "$clip"
$sprocket packets "$clip" >"$dir/packets.txt"
head -n 8 "$dir/packets.txt"
show $sprocket frames "$clip" --at 0,100,-1 -o "$dir/frames.npy" --stats
show $sprocket frames "$clip" --times 1.5,2s,00:00:07.25 --size 224x224 --dtype float32 -o "$dir/frames.safetensors"
show $sprocket frames "$clip" --every 100 -o "$dir/frames/"
show $sprocket frames "$clip" --count 16 -o "$dir/sheet.png"
printf '\n$ %s framehash %s | tail -n 2\n' "$sprocket" "$clip"
$sprocket framehash "$clip" >"$dir/framehash.txt"
tail -n 2 "$dir/framehash.txt"

echo
echo "demo: cutting $clip into the segments of $dir/hls/list.m3u8"
mkdir -p "$dir/hls"
ffmpeg -nostdin -v error -y -i "$clip" -c copy -f hls -hls_time 2 -hls_playlist_type vod -hls_segment_filename "$dir/hls/%d.ts" "$dir/hls/list.m3u8"
show $sprocket inspect "$dir/hls/list.m3u8"
show $sprocket frames "$dir/hls/list.m3u8" --times 7.5 -o "$dir/hls/frame.npy" --stats

cat <<END

Look at:
  $dir/sheet.png            16 frames, spread over the clip
  $dir/frames/              every 100th frame as a PNG
  $dir/frames.npy           first, hundredth and last frame: numpy.load, uint8 [3, 3, 360, 640]
  $dir/frames.safetensors   three frames by time: frames, index and pts_seconds, float32 [3, 3, 224, 224]
  $dir/packets.txt          every packet of the file
  $dir/framehash.txt        an MD5 of every frame, equal to FFmpeg's framemd5
END
