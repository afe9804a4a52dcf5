use super::*;

fn member(host: &str, rank: Option<u32>, file: &str, begin: u64, length: u64) -> MemberRow {
    let mut labels: BTreeMap<String, String> = [("file".to_owned(), file.to_owned())].into();
    labels.extend(rank.map(|rank| ("rank".to_owned(), rank.to_string())));
    MemberRow {
        name: String::new(),
        host: host.to_owned(),
        labels,
        argv: Vec::new(),
        started_unix_ns: begin,
        duration: Nanos(length),
        exit_code: Some(0),
        overlaps: false,
        total: Default::default(),
        energy: Default::default(),
        ci90: Default::default(),
        cpu: Nanos::ZERO,
        samples: 0,
    }
}

fn names(mut members: Vec<MemberRow>) -> Vec<String> {
    name(&mut members);
    members.into_iter().map(|member| member.name).collect()
}

#[test]
fn runs_are_called_by_what_tells_them_apart() {
    let rank = |host, rank, file| member(host, Some(rank), file, 0, 1);
    assert_eq!(
        names(vec![rank("a", 0, "a.0"), rank("a", 1, "a.1")]),
        ["rank 0", "rank 1"]
    );
    assert_eq!(
        names(vec![rank("a", 0, "x"), rank("b", 1, "y")]),
        ["a", "b"],
        "the host says it all"
    );
    assert_eq!(
        names(vec![
            rank("a", 0, "x"),
            rank("a", 1, "y"),
            rank("b", 2, "z")
        ]),
        ["a rank 0", "a rank 1", "b rank 2"]
    );
    let file = |file| member("a", None, file, 0, 1);
    assert_eq!(
        names(vec![file("1.data"), file("2.data")]),
        ["1.data", "2.data"]
    );
    assert_eq!(names(vec![file("x"), file("x")]), ["a", "a #2"]);
}

#[test]
fn time_is_covered_once() {
    let of = |spans: &[(u64, u64)]| {
        let members = spans
            .iter()
            .map(|(begin, length)| member("a", None, "x", *begin, *length));
        covered(&members.collect::<Vec<_>>()).0
    };
    assert_eq!(of(&[(100, 10), (100, 8), (105, 10)]), 15);
    assert_eq!(of(&[(200, 10), (100, 10)]), 20);
    assert_eq!(of(&[]), 0);
}

#[test]
fn only_runs_on_the_same_host_share_a_meter() {
    let overlap = |mut members: Vec<MemberRow>| {
        let caveat = overlaps(&mut members);
        let found: Vec<bool> = members.iter().map(|member| member.overlaps).collect();
        (caveat.is_some(), found)
    };
    let at = |host, begin, length| member(host, None, "x", begin, length);
    assert_eq!(
        overlap(vec![at("a", 0, 10), at("b", 0, 10), at("a", 10, 5)]),
        (false, vec![false; 3])
    );
    assert_eq!(
        overlap(vec![
            at("a", 0, 100),
            at("a", 5, 5),
            at("a", 50, 5),
            at("b", 0, 9)
        ]),
        (true, vec![true, true, true, false])
    );
}
