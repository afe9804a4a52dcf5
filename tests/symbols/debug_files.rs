//! Debug information that is not in the file that ran.
