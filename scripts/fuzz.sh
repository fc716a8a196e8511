#!/bin/sh
# Runs every fuzz target of the module, FUZZTIME each.
set -eu

go=${GO:-go}
fuzztime=${FUZZTIME:-30s}
listed=$(mktemp)
trap 'rm -f "$listed"' EXIT
"$go" test -list '^Fuzz' ./... >"$listed" || { cat "$listed" >&2; exit 1; }
failed=0
# go test prints the names, then "ok" and their package.
for target in $(awk '/^Fuzz/ { names[n++] = $1 } $1 == "ok" { for (i = 0; i < n; i++) print $2 ":" names[i]; n = 0 }' "$listed"); do
	package=${target%:*}
	name=${target##*:}
	echo "fuzz: $package $name $fuzztime"
	"$go" test -run '^$' -fuzz "^$name\$" -fuzztime "$fuzztime" -fuzzminimizetime 10s "$package" || failed=1
done
exit $failed
