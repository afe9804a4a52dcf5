//! Which process of a parallel job this is.

/// Where launchers say it: Open MPI, PMIx (Open MPI 5, PRRTE), PMI (MPICH,
/// Intel MPI, MVAPICH), Slurm's srun.
pub const VARIABLES: [&str; 4] = [
    "OMPI_COMM_WORLD_RANK",
    "PMIX_RANK",
    "PMI_RANK",
    "SLURM_PROCID",
];

/// The rank that the environment names; `None` outside parallel jobs.
pub fn of_environment() -> Option<u32> {
    rank(|name| std::env::var(name).ok())
}

/// The same, with `variable` in place of the environment. A batch script under
/// Slurm has a rank of its own, 0, which that of a launcher inside it overrides.
pub fn rank(variable: impl Fn(&str) -> Option<String>) -> Option<u32> {
    let named = |name: &&str| variable(name)?.trim().parse().ok();
    VARIABLES.iter().find_map(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_launcher_nearest_to_the_process_decides() {
        let of = |set: &[(&str, &str)]| {
            let find = |name: &str| {
                let found = set.iter().find(|(key, _)| *key == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            rank(find)
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[("SLURM_PROCID", "12")]), Some(12));
        let both = [("SLURM_PROCID", "0"), ("OMPI_COMM_WORLD_RANK", "3")];
        assert_eq!(of(&both), Some(3));
        assert_eq!(
            of(&[("PMI_RANK", "../../etc"), ("SLURM_PROCID", "1")]),
            Some(1)
        );
    }
}
