"""From raw texts to a clean corpus: small steps, run by datatrove's executors in six stages.

    clean   read, normalise, language, quality; exact hashes        one task per part of the input
    exact   which documents repeat an earlier one                   one task
    match   MinHash band keys; n-grams shared with labelled data    one task per part
    decide  near-duplicates, contaminated documents                 one task
    write   leave out, replace personal data, write a shard         one task per part
    finish  counts and reports; the result is moved into its place  one task

A part is a run of consecutive input, so that "the first" of two equal documents is the same for any number of tasks.
What a stage leaves for the next lies in a work folder; datatrove marks finished tasks there, which makes a killed run
go on where it was. Memory is bounded by the size of a part, not of the corpus: whatever spans the corpus is sorted on
disk and merged range by range.
"""
