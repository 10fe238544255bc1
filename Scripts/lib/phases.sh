# What Scripts/test and Scripts/soak are made of: phases that are timed, and tests that are run. Sourced, in the root of the checkout.

phases=()
# phase NAME COMMAND...: runs the command and remembers how long it took.
phase() {
    local name=$1
    phase_start=$SECONDS phase_name=$1
    shift
    echo "==> $name"
    "$@"
    phases+=("$(printf '%6d s  %s' $((SECONDS - phase_start)) "$name")")
    # Tests that had to fail, because of a planted bug, are no failures of the phase.
    phase_name= failures=
}
phase_name=
# Of the tests that ran last.
failures=

tests=
end_leftovers() {
    [[ -z $tests ]] || kill -TERM -- "-$tests" 2>/dev/null || true
    tests=
}

report() {
    end_leftovers
    echo
    echo "==> seconds"
    printf '%s\n' "${phases[@]}"
    [[ -z $phase_name ]] || printf '%6d s  %s: FAILED\n' $((SECONDS - phase_start)) "$phase_name"
    [[ -z $failures ]] || printf '\n==> what failed\n%s\n' "$failures"
}

# run_tests LOG OPTIONS...: runs the tests that the options of `swift test` choose, and shows and keeps what they print.
run_tests() {
    local log=$1 status=0
    shift
    mkdir -p "$(dirname "$log")"
    # There before `tail` looks for it.
    : >"$log"
    # A process group of their own: should the tests crash, what they have started is ended all the same.
    set -m
    swift test --skip-build --disable-xctest "$@" >"$log" 2>&1 &
    tests=$!
    set +m
    tail -n +1 -f --pid="$tests" "$log"
    wait "$tests" || status=$?
    end_leftovers
    echo
    echo "==> seconds of each suite (they run side by side)"
    sed -n 's/^.*Suite "\{0,1\}\(.*[^"]\)"\{0,1\} \(passed\|failed\) after \([0-9.]*\) seconds.*$/\3 \1/p' "$log" | sort -rn |
        awk '{ seconds = $1; $1 = ""; printf "%8.1f s %s\n", seconds, $0 }'
    # Last, where it is seen without looking through a thousand lines.
    failures=
    ((status == 0)) || failures=$(grep -E -A 2 "recorded an issue|Fatal error|SUMMARY: |error: " "$log" | cut -c1-1000 | head -60) || true
    return "$status"
}
