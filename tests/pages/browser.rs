//! A headless browser, driven through its pipe by the DevTools protocol
//! (<https://chromedevtools.github.io/devtools-protocol/>), without a network.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{absent, skip};

/// What it may be called.
const NAMES: [&str; 4] = [
    "chromium",
    "chromium-headless-shell",
    "chromium-browser",
    "google-chrome",
];

/// No page here takes so long.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) struct Browser {
    child: Child,
    done: Arc<AtomicBool>,
    orders: File,
    answers: BufReader<File>,
    session: Option<String>,
    number: u64,
    /// What went wrong in the page, and what it asked the network for.
    pub(crate) trouble: Vec<String>,
    loaded: bool,
    _directory: TempDir,
}

impl Browser {
    /// Starts one; `None`, said out loud, where there is none.
    pub(crate) fn start() -> Option<Self> {
        let there = |name: &&str| {
            let output = Command::new(name).arg("--version").output();
            output.is_ok_and(|output| output.status.success())
        };
        let Some(name) = NAMES.into_iter().find(there) else {
            let debian = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
            // tests/setup installs one on Debian; elsewhere it is no package.
            match debian.lines().any(|line| line == "ID=debian") {
                true => skip("there is no Chromium"),
                false => absent("there is no Chromium"),
            }
            return None;
        };
        let directory = TempDir::new().unwrap();
        let path = |name: &str| directory.path().join(name);
        for fifo in ["orders", "answers"] {
            let made = Command::new("mkfifo").arg(path(fifo)).status().unwrap();
            assert!(made.success());
        }
        let child = Command::new("sh")
            .args(["-c", "exec \"$@\" 3<orders 4>answers", "sh", name])
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--no-first-run",
            ])
            .args(["--remote-debugging-pipe", "--disable-dev-shm-usage"])
            .arg(format!("--user-data-dir={}", path("profile").display()))
            .current_dir(directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let done = Arc::new(AtomicBool::new(false));
        let (pid, over) = (child.id(), Arc::clone(&done));
        std::thread::spawn(move || {
            std::thread::sleep(PATIENCE);
            if !over.load(Ordering::Relaxed) {
                // Whoever waits for an answer then reads the end of the pipe.
                let _ = Command::new("kill").arg(pid.to_string()).status();
            }
        });
        // Each waits until the other end is open.
        let orders = File::options().write(true).open(path("orders")).unwrap();
        let answers = BufReader::new(File::open(path("answers")).unwrap());
        let mut browser = Self {
            child,
            done,
            orders,
            answers,
            session: None,
            number: 0,
            trouble: Vec::new(),
            loaded: false,
            _directory: directory,
        };
        let target = browser.call("Target.createTarget", json!({"url": "about:blank"}));
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let session = browser.call("Target.attachToTarget", attach);
        browser.session = session["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        let offline = json!({
            "offline": true, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1
        });
        browser.call("Network.emulateNetworkConditions", offline);
        Some(browser)
    }

    /// Loads a file.
    pub(crate) fn open(&mut self, file: &Path) {
        self.trouble.clear();
        self.loaded = false;
        let url = format!("file://{}", file.display());
        self.call("Page.navigate", json!({"url": url}));
        while !self.loaded {
            self.read();
        }
        // What was to be done once the page was there.
        self.eval("new Promise((then) => requestAnimationFrame(() => setTimeout(then)))");
        self.trouble.retain(|of| *of != format!("asked for {url}"));
    }

    /// The value of an expression in the page.
    pub(crate) fn eval(&mut self, expression: &str) -> Value {
        let order = json!({
            "expression": expression, "returnByValue": true, "awaitPromise": true
        });
        let answer = self.call("Runtime.evaluate", order);
        assert!(
            answer["exceptionDetails"].is_null(),
            "{expression}: {answer}"
        );
        answer["result"]["value"].clone()
    }

    /// Makes the page as if on paper, in a dark room, ….
    pub(crate) fn medium(&mut self, medium: &str, scheme: &str) {
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        let order = json!({"media": medium, "features": features});
        self.call("Emulation.setEmulatedMedia", order);
    }

    fn call(&mut self, method: &str, params: Value) -> Value {
        self.number += 1;
        let number = self.number;
        let mut order = json!({"id": number, "method": method, "params": params});
        if let Some(session) = &self.session {
            order["sessionId"] = json!(session);
        }
        write!(self.orders, "{order}\0").unwrap();
        loop {
            let message = self.read();
            if message["id"] == number {
                assert!(message["error"].is_null(), "{method}: {message}");
                return message["result"].clone();
            }
        }
    }

    fn read(&mut self) -> Value {
        let mut bytes = Vec::new();
        self.answers.read_until(0, &mut bytes).unwrap();
        assert_eq!(bytes.pop(), Some(0), "the browser has gone");
        let message: Value = serde_json::from_slice(&bytes).unwrap();
        let params = &message["params"];
        match message["method"].as_str().unwrap_or_default() {
            "Page.loadEventFired" => self.loaded = true,
            "Runtime.exceptionThrown" => self.trouble.push(params["exceptionDetails"].to_string()),
            "Runtime.consoleAPICalled" => self.trouble.push(params["args"].to_string()),
            "Log.entryAdded" => self.trouble.push(params["entry"].to_string()),
            "Network.requestWillBeSent" => {
                let url = params["request"]["url"].as_str().unwrap_or_default();
                if !url.starts_with("data:") {
                    self.trouble.push(format!("asked for {url}"));
                }
            }
            _ => {}
        }
        message
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Not by a signal: Debian's is a shell script around the browser.
        if write!(self.orders, "{{\"id\":0,\"method\":\"Browser.close\"}}\0").is_err() {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
        self.done.store(true, Ordering::Relaxed);
    }
}
