//! A principal: its printed form parses to the same principal.
#![no_main]

use ids::AccountId;
use libfuzzer_sys::fuzz_target;
use policy::Principal;

fuzz_target!(|text: &str| {
    let _ = text.parse::<AccountId>();
    if let Ok(principal) = text.parse::<Principal>() {
        assert_eq!(principal.to_string().parse().as_ref(), Ok(&principal));
    }
});
