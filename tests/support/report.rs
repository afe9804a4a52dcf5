//! A JSON report.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    reason = "each test file uses its part; a failed assumption is a failed test"
)]

use serde_json::Value;

/// The energy of a row of the ledger; what is unknown was charged to nobody.
fn ledger_uj(row: &Value) -> u64 {
    assert!(row["uj"].is_u64() || row["uj"].is_null(), "{row}");
    row["uj"].as_u64().unwrap_or(0)
}

/// A JSON report.
pub struct Report(pub Value);

impl Report {
    /// The rows of `table` (`threads`, `processes`, `functions`, `ledger`).
    pub fn rows(&self, table: &str) -> &[Value] {
        self.0[table].as_array().map_or(&[], Vec::as_slice)
    }

    /// The sum of `field` over the rows of `table`.
    pub fn sum(&self, table: &str, field: &str) -> u64 {
        self.rows(table)
            .iter()
            .map(|row| row[field].as_u64().unwrap_or_else(|| panic!("{row}")))
            .sum()
    }

    /// The energy of an account over the meters that add up.
    pub fn account(&self, account: &str) -> u64 {
        self.rows("ledger")
            .iter()
            .filter(|row| row["account"] == account && row["nested"] != true)
            .map(ledger_uj)
            .sum()
    }

    /// The threads called `comm`.
    pub fn threads_named<'a>(&'a self, comm: &'a str) -> impl Iterator<Item = &'a Value> {
        self.rows("threads")
            .iter()
            .filter(move |row| row["comm"] == comm)
    }

    /// Asserts what must hold for every report.
    pub fn assert_balanced(&self) {
        assert_eq!(self.0["schema"], "eprof-report/1");
        let all: u64 = self
            .rows("ledger")
            .iter()
            .filter(|row| row["nested"] != true)
            .map(ledger_uj)
            .sum();
        assert_eq!(all, self.0["energy_uj"].as_u64().unwrap(), "{:#}", self.0);
        let target = self.account("target");
        for (table, field) in [
            ("threads", "uj"),
            ("processes", "uj"),
            ("functions", "self_uj"),
        ] {
            assert_eq!(self.sum(table, field), target, "{table}: {:#}", self.0);
        }
    }
}
