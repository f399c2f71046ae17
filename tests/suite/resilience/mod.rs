//! What goes around calls that may fail.

mod attribute;
