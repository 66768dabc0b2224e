#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| silly_cluster_fuzz::frames::check(input));
