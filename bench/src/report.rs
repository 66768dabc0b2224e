//! What came out, as Markdown; each line is printed as soon as it is known.

/// The text so far.
pub struct Report {
    text: String,
}

impl Report {
    /// Begins with what it was measured on.
    pub fn new(machine: String) -> Report {
        let mut report = Report { text: String::new() };
        report.text_line("# Results");
        report.text_line(&machine);
        report
    }

    pub fn section(&mut self, title: &str, introduction: &str) {
        self.text_line(&format!("## {title}"));
        self.text_line(introduction);
    }

    /// A paragraph.
    pub fn text_line(&mut self, text: &str) {
        self.add(&format!("\n{text}\n"));
    }

    /// Begins a table.
    pub fn header(&mut self, names: &[&str]) {
        self.add("\n");
        self.row(names);
        self.add(&format!("|{}\n", "---|".repeat(names.len())));
    }

    pub fn row(&mut self, cells: &[&str]) {
        self.add(&format!("| {} |\n", cells.join(" | ")));
    }

    pub fn text(&self) -> &str {
        self.text.trim_start()
    }

    fn add(&mut self, text: &str) {
        print!("{text}");
        self.text.push_str(text);
    }
}

/// A number in groups of three digits.
pub fn count(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
