# The phases in which faults are looked for, for Scripts/test --faults and Scripts/soak. Sourced after phases.sh; logs go to $logs.

# As Scripts/test builds, so that it is built once; but the many processes that are killed here leave no coverage.
build_tests() {
    swift build --build-tests --enable-code-coverage "${build_flags[@]}"
}

fault_tests() {
    run_tests "$logs/faults.log" --filter FaultTests --skip "$alone"
}

# What compares times needs the machine for itself.
load_tests() {
    run_tests "$logs/load.log" --no-parallel --filter "$load_suites"
}
readonly load_suites="FaultTests.(Overload|Restart|StartTime|Transport|ManyLibraries)Tests"

# Requests that others make of the OpenAPI document.
contract_tests() {
    run_tests "$logs/contract.log" --filter "$contract_suites"
}
readonly contract_suites="FaultTests.SchemathesisTests"
readonly alone="$load_suites|$contract_suites"

# Simulated power losses, flipped bits and sequences of changes, which plain Scripts/test runs too, here as often as the counts say.
durability_tests() {
    run_tests "$logs/durability.log" --filter "$durability_suites"
}
readonly durability_suites="StorageTests.(PowerLoss|SnapshotFile|Damage)Tests|DatabaseTests.(Snapshot|Model|Overlap|Repair|Verification)Tests"

# Settings of every kind, and nginx with them, which plain Scripts/test runs too.
edge_tests() {
    run_tests "$logs/edge.log" --filter "$edge_suites"
}
readonly edge_suites="SettingsTests.(NginxConfiguration|RateLimit|Reload)Tests"

# What threads share, and what writes to raw memory.
readonly concurrent_suites="LocksTests|StorageTests.(GroupCommit|Rotation|Removal|Failure)Tests|DatabaseTests.(Concurrency|Pending|IndexBuilder|Snapshot|KeywordSearch)Tests|VectorSearchTests.ConcurrentChangeTests|FastCGITests.AdmissionQueueTests|KeysTests.LiveKeyRingTests"
readonly storing_suites="StorageTests|DatabaseTests|VectorSearchTests|TextSearchTests|JSONTests|HTTPTests|FastCGITests"

# Optimised for the address sanitizer only: to the other one what Swift makes of empty arrays then, which share one place, looks like a race.
optimization() { if [[ $1 == address ]]; then echo 1; else echo 0; fi; }

build_sanitized() {
    QUIRE_SANITIZED=1 QUIRE_OPTIMIZE=$(optimization "$1") swift build --build-tests -Xcc -O2 --sanitize="$1" --scratch-path ".build/$1"
}

# sanitize SANITIZER SUITES: runs suites that were built with a sanitizer, which reports nothing. First a test with a bug that it must
# report: should it not, its silence about the others says nothing.
sanitize() {
    local sanitizer=$1 suites=$2 options=(--sanitize="$1" --scratch-path ".build/$1")
    local -x QUIRE_SANITIZED=1 QUIRE_OPTIMIZE
    QUIRE_OPTIMIZE=$(optimization "$1")
    # What Swift's runtime allocates for good is no leak. Its own handler of crashes reads memory that the sanitizer forbids it.
    local -x ASAN_OPTIONS=detect_leaks=0 SWIFT_BACKTRACE=enable=no
    if QUIRE_PLANTED_BUG=$sanitizer run_tests "$logs/$sanitizer-planted.log" "${options[@]}" --filter PlantedBugTests ||
        ! grep -q "Sanitizer: " "$logs/$sanitizer-planted.log"; then
        echo "the $sanitizer sanitizer did not report the bug that was planted" >&2
        return 1
    fi
    # The one test left out looks for its stack in a map of memory, which is the sanitizer's.
    run_tests "$logs/$sanitizer.log" "${options[@]}" --filter "$suites" --skip "ThreadTests/stack\(\)" || return
    # A report of a process that a test has started, and whose end it did not look at.
    if grep "Sanitizer: " "$logs/$sanitizer.log"; then return 1; fi
    echo "figure | reports of the $sanitizer sanitizer | 0" | tee -a "$logs/$sanitizer.log"
}

build_fuzzers() {
    # Optimised, because it is about the number of inputs; lld, because gold warns about every function of the sanitizer. Not by
    # `--sanitize` twice: that gives the compiler two options, in any order, of which it heeds the last.
    QUIRE_FUZZ=1 swift build -c release --scratch-path .build/fuzz --product Fuzz \
        -Xswiftc -sanitize=fuzzer,address -Xcc -fsanitize=fuzzer,address -Xswiftc -use-ld=lld
}
readonly fuzz_targets=(log snapshot records index requests filter parameters paths settings)

# fuzz TARGET WORK OPTIONS...: looks for an input that breaks the promise of the target, for QUIRE_FUZZ_SECONDS. What was worth trying
# is kept in WORK/found, and tried first by the next run; an input that breaks the promise is left in WORK as `crash-*`.
fuzz() {
    local target=$1 work=$2 program=$PWD/.build/fuzz/release/Fuzz corpus=$PWD/Tests/Fuzz/Corpus/$1 leaks=1 locks status=0
    shift 2
    # These keep a database from one input to the next, and the sanitizer does not see pointers in which Swift keeps the case of an enum.
    if [[ $target == requests || $target == filter ]]; then leaks=0; fi
    mkdir -p "$work/found"
    # In memory where there is a place for it: every start of a database writes to its lock.
    locks=$(mktemp -d -p "$(if [[ -w /dev/shm ]]; then echo /dev/shm; else echo "$work"; fi)" quire-fuzz.XXXXXX)
    locks=$(realpath "$locks")
    # Little is held back of what was freed, so that the limit of memory is one on what the product needs. Swift's own handler of
    # crashes reads memory that the sanitizer forbids it, and hides the crash.
    (cd "$work" && ASAN_OPTIONS="quarantine_size_mb=16:detect_leaks=$leaks" SWIFT_BACKTRACE=enable=no "$program" "--target=$target" "--locks=$locks" \
        -max_total_time="$QUIRE_FUZZ_SECONDS" -seed="$(((${QUIRE_SEED:-0} & 0x7fffffff) + 1))" \
        -rss_limit_mb=512 -timeout=20 -max_len=8192 -print_final_stats=1 "$@" found "$corpus") || status=$?
    rm -rf "$locks"
    return "$status"
}

# Each fuzzer finds the bug that is planted in its target, from the seeds alone.
fuzz_planted_bugs() {
    local target log
    for target in "${fuzz_targets[@]}"; do
        log=$logs/fuzz-$target-planted.log
        rm -rf ".build/fuzzing/$target-planted"
        if fuzz "$target" ".build/fuzzing/$target-planted" --planted-bug >"$log" 2>&1 || ! grep "broken promise" "$log"; then
            echo "the fuzzer of $target did not find the planted bug in $QUIRE_FUZZ_SECONDS s" >&2
            return 1
        fi
    done
}

# All fuzzers, side by side.
fuzz_all() {
    local target log failed=0
    declare -A running
    for target in "${fuzz_targets[@]}"; do
        fuzz "$target" ".build/fuzzing/$target" >"$logs/fuzz-$target.log" 2>&1 &
        running[$target]=$!
    done
    for target in "${fuzz_targets[@]}"; do
        log=$logs/fuzz-$target.log
        if wait "${running[$target]}" && [[ -n $(fuzz_statistic number_of_executed_units) ]]; then
            echo "figure | inputs that broke the promise of $target to its fuzzer | 0 of $(fuzz_statistic number_of_executed_units)" >>"$log"
            echo "figure | most memory with any input to the fuzzer of $target | $(fuzz_statistic peak_rss_mb) MB" >>"$log"
            tail -n 2 "$log"
        else
            failed=1
            tail -n 60 "$log"
        fi
    done
    return "$failed"
}

fuzz_statistic() { sed -n "s/^stat::$1: *//p" "$log"; }

# What systemd says of its units.
unit_files() { Tests/Packaging/run --units | tee "$logs/units.log"; }

# The Debian package, built, installed, run and purged. As root, with a network.
packaging_test() { Tests/Packaging/run | tee "$logs/packaging.log"; }

# Every phase, once the tests are built.
all_faults() {
    mkdir -p "$logs"
    phase "systemd units" unit_files
    phase "fault tests" fault_tests
    phase "load and restarts" load_tests
    phase "requests of the OpenAPI document" contract_tests
    phase "power losses and flipped bits" durability_tests
    phase "settings and nginx" edge_tests
    phase "build for the thread sanitizer" build_sanitized thread
    # They look at what is done, not at how often, and are slow.
    phase "thread sanitizer" with_standard_counts sanitize thread "$concurrent_suites"
    phase "build for the address sanitizer" build_sanitized address
    phase "address sanitizer" with_standard_counts sanitize address "$storing_suites"
    phase "build the fuzzers" build_fuzzers
    phase "fuzzers find planted bugs" fuzz_planted_bugs
    phase "fuzzers" fuzz_all
}
