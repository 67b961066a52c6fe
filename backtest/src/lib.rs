//! The same core in one deterministic loop; analytics and the HTML report.
