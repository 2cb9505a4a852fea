# What the parts of tests/kernel share: progress, skips, failures.

began=$SECONDS
say() { printf '%4d s  %s\n' $((SECONDS - began)) "$*"; }

skip() {
    say "SKIP: $*"
    [ -z "${FOPS_SKIPPED:-}" ] || echo "tests/kernel: $*" >> "$FOPS_SKIPPED"
    exit 0
}

fail() {
    printf '\nFAILED: %s\n' "$*" >&2
    exit 1
}

# work SECONDS LOG COMMAND..: runs it, says how far it is, and ends it after that time.
work() {
    local limit=$1 log=$2 pid status=0 next=$((SECONDS + 20))
    shift 2
    timeout --kill-after=10 "$limit" "$@" > "$log" 2>&1 < /dev/null &
    pid=$!
    while kill -0 $pid 2>/dev/null; do
        sleep 0.5
        if [ $SECONDS -ge $next ]; then
            say "  .. $(tail -n 1 "$log" | tr -dc '[:print:]' | cut -c 1-100)"
            next=$((SECONDS + 20))
        fi
    done
    wait $pid || status=$?
    [ $status = 0 ] && return
    echo "--- the last lines of $log:"
    tail -n 40 "$log"
    [ $status != 124 ] || echo "--- it was ended after $limit s"
    return $status
}

hash_of() { sha256sum | cut -c 1-16; }

# The names and contents of files and folders.
contents() { find "$@" -type f ! -path '*/target/*' ! -name '*.md' -print0 | sort -z | xargs -0 sha256sum; }

# enough GB: skips unless so many are free.
enough() {
    local free
    free=$(df --output=avail -BG "$cache" | tr -dc 0-9)
    [ "$free" -ge "$1" ] || skip "$free GB are free in $cache, $1 are needed"
}
