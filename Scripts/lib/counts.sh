# How often the tests of faults repeat what they try. Sourced. A number that is not here is in its test: `count("QUIRE_...", standard: ...)`.
# One that is set already stays.

# choose NAME NUMBER
choose() {
    [[ -n ${!1:-} ]] || export "$1=$2"
}

# For every push: all of Scripts/test --faults takes half an hour on two processors.
ci_counts() {
    choose QUIRE_POWER_LOSSES 5000
    choose QUIRE_FUZZ_SECONDS 60
}

# Before a release: one round of Scripts/soak takes many hours.
full_counts() {
    choose QUIRE_SEED "$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')"
    choose QUIRE_POWER_LOSSES 100000
    choose QUIRE_SNAPSHOT_FLIP_STEP 1
    choose QUIRE_FUZZ_SECONDS 3600
}
