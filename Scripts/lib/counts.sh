# How often the tests of faults repeat what they try. Sourced. A number that is not here is in its test: `count("QUIRE_...", standard: ...)`.
# One that is set already stays.

chosen_counts=()
# choose NAME NUMBER
choose() {
    [[ -n ${!1:-} ]] && return
    export "$1=$2"
    chosen_counts+=("$1")
}

# with_standard_counts COMMAND...: runs it with the counts that stand in the tests, and those that were set before.
with_standard_counts() {
    (
        trap end_leftovers EXIT
        unset "${chosen_counts[@]}"
        "$@"
    )
}

# For every push: all of Scripts/test --faults takes half an hour on two processors.
ci_counts() {
    choose QUIRE_POWER_LOSSES 5000
    choose QUIRE_OVERLAPS 500
    choose QUIRE_MODEL_SEQUENCES 2000
    choose QUIRE_REPAIR_FLIP_STEP 8
    choose QUIRE_VERIFY_FLIP_STEP 128
    choose QUIRE_VERIFICATIONS 100
    choose QUIRE_RANDOM_SETTINGS 500
    choose QUIRE_SCHEMATHESIS_EXAMPLES 20
    choose QUIRE_GUARDED_EXAMPLES 3
    choose QUIRE_FUZZ_SECONDS 60
}

# Before a release: one round of Scripts/soak takes many hours.
full_counts() {
    choose QUIRE_SEED "$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')"
    # Killed, in every way and place.
    choose QUIRE_KILLS 2000
    choose QUIRE_LOCK_KILLS 1000
    choose QUIRE_RETRY_KILLS 100
    choose QUIRE_BULK_KILLS 100
    choose QUIRE_REEMBEDDING_KILLS 100
    choose QUIRE_KILLED_APPENDS 20
    choose QUIRE_DOUBLE_CRASHES 1000
    choose QUIRE_POWER_LOSSES 100000
    choose QUIRE_OVERLAPS 100000
    # Damaged, at every byte.
    choose QUIRE_SNAPSHOT_FLIP_STEP 1
    choose QUIRE_REPAIR_FLIP_STEP 1
    choose QUIRE_VERIFY_FLIP_STEP 1
    choose QUIRE_VERIFICATIONS 3000
    # Short of something.
    choose QUIRE_FULL_DISKS 100
    choose QUIRE_INTERRUPTED_RECORDS 20000
    # In any order.
    choose QUIRE_MODEL_SEQUENCES 100000
    choose QUIRE_RANDOM_SETTINGS 20000
    choose QUIRE_HISTORY_OPERATIONS 5000
    choose QUIRE_HISTORY_KILLS 100
    choose QUIRE_READS_OF_WRITES 10000
    choose QUIRE_DELETED_LIBRARIES 2000
    choose QUIRE_SNAPSHOTS_BESIDE_WRITERS 1000
    # At the edge.
    choose QUIRE_SCHEMATHESIS_EXAMPLES 300
    choose QUIRE_GUARDED_EXAMPLES 50
    choose QUIRE_GARBAGE_RECORDS 100000
    choose QUIRE_BROKEN_BODIES 100000
    choose QUIRE_OVERLOAD_SECONDS 60
    choose QUIRE_NOISY_CHANGES 20000
    choose QUIRE_LIBRARIES 10000
    choose QUIRE_CLIENT_TIMEOUT_SECONDS 30
    # At full size.
    choose QUIRE_SNAPSHOT_CHUNKS 100000
    choose QUIRE_START_CHUNKS 100000
    choose QUIRE_STARTING_CHUNKS 100000
    choose QUIRE_START_DIMENSION 384
    choose QUIRE_START_TAIL 10000
    choose QUIRE_FUZZ_SECONDS 3600
}
