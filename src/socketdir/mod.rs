//! A device's socket directory, which its tenant may fill with anything.
