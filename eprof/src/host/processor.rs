//! The processor's name, vendor, family and model, and whether it is virtual.

use super::root::SysRoot;

/// What `/proc/cpuinfo` says about the first CPU.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Processor {
    /// `vendor_id` on x86 (`GenuineIntel`, `AuthenticAMD`), `CPU implementer`
    /// on ARM (`0x41`); empty where unknown.
    pub vendor: String,
    /// The name for people; empty where unknown.
    pub name: String,
    /// x86 family.
    pub family: Option<u32>,
    /// x86 model (with the extended model), or ARM part number.
    pub model: Option<u32>,
    /// x86 stepping.
    pub stepping: Option<u32>,
    /// Whether the CPU says that it runs under a hypervisor (x86 CPUID leaf 1,
    /// ECX bit 31); `None` where it has no such flag.
    pub hypervisor: Option<bool>,
    /// Whether SGX is switched on; Intel filters energy counters then.
    pub sgx: bool,
}

impl Processor {
    /// Reads `/proc/cpuinfo` below `root`, the machine's own where the root
    /// has none; unknown where neither can be read.
    pub fn read(root: &SysRoot) -> Self {
        root.read("/proc/cpuinfo")
            .or_else(|_| SysRoot::machine().read("/proc/cpuinfo"))
            .map(|text| Self::parse(&text))
            .unwrap_or_default()
    }

    /// Parses the text of `/proc/cpuinfo`.
    pub fn parse(text: &str) -> Self {
        let mut found = Self::default();
        for line in text.lines() {
            // A second CPU begins: all that matters is in the first.
            if line.trim().is_empty() && !found.vendor.is_empty() {
                break;
            }
            let Some((key, value)) = line.split_once(':') else {
                continue;
            };
            let value = value.trim();
            match key.trim() {
                "vendor_id" | "CPU implementer" => value.clone_into(&mut found.vendor),
                "model name" | "Model" | "cpu" if found.name.is_empty() => {
                    value.clone_into(&mut found.name);
                }
                "cpu family" => found.family = number(value),
                "model" | "CPU part" => found.model = number(value),
                "stepping" => found.stepping = number(value),
                "flags" => {
                    let has = |flag| value.split_whitespace().any(|word| word == flag);
                    found.hypervisor = Some(has("hypervisor"));
                    found.sgx = has("sgx");
                }
                _ => {}
            }
        }
        if found.name.is_empty() && !found.vendor.is_empty() {
            found.name = match found.model {
                Some(model) => format!("CPU implementer {}, part {model:#x}", found.vendor),
                None => found.vendor.clone(),
            };
        }
        found
    }
}

fn number(text: &str) -> Option<u32> {
    match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_intel_guest_is_recognised() {
        let text = "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 85\n\
                    model name\t: Intel(R) Xeon(R) Platinum\nstepping\t: 7\n\
                    flags\t\t: fpu hypervisor lahf_lm\n\nprocessor\t: 1\nmodel\t\t: 1\n";
        let found = Processor::parse(text);
        assert_eq!(found.vendor, "GenuineIntel");
        assert_eq!(
            (found.family, found.model, found.stepping),
            (Some(6), Some(85), Some(7))
        );
        assert_eq!(found.hypervisor, Some(true));
        assert!(!found.sgx);
    }

    #[test]
    fn an_arm_core_is_named_by_its_part() {
        let text = "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n";
        let found = Processor::parse(text);
        assert_eq!((found.model, found.hypervisor), (Some(0xd0c), None));
        assert!(found.name.contains("0xd0c"), "{}", found.name);
    }

    #[test]
    fn garbage_is_unknown() {
        assert_eq!(Processor::parse("::::\n\u{0}"), Processor::default());
    }
}
