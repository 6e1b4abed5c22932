//! `signoff generate`: what a package installs beside the command, made from the command line itself.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Command, ValueEnum, ValueHint};
use clap_complete::Shell;
use clap_mangen::Man;
use roff::{Roff, bold, roman};

use crate::pages::{EXITS, PAGES, Page};
use crate::{Failure, Outcome};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// What to write.
    #[arg(value_enum)]
    what: What,
    /// The folder to write into, which must be there.
    #[arg(value_hint = ValueHint::DirPath)]
    folder: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum What {
    /// A manual page of the command, and one of each of its commands.
    Man,
    /// Completions for bash, zsh and fish.
    Completions,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Outcome, Failure> {
    let mut command = crate::command();
    let failed = |error| Failure::of_file(&arguments.folder.display().to_string(), &error);
    match arguments.what {
        What::Man => man(command, &arguments.folder).map_err(failed)?,
        What::Completions => {
            for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
                clap_complete::generate_to(shell, &mut command, "signoff", &arguments.folder).map_err(failed)?;
            }
        }
    }
    Ok(Outcome::Good)
}

/// A page of the command, and one of each of its commands.
fn man(command: Command, folder: &Path) -> std::io::Result<()> {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    for subcommand in command.get_subcommands() {
        let page = PAGES.iter().find(|page| page.command == subcommand.get_name());
        write_page(subcommand, page, folder)?;
    }
    write_page(&command, None, folder)
}

fn write_page(command: &Command, page: Option<&Page>, folder: &Path) -> std::io::Result<()> {
    let source = concat!("signoff ", env!("CARGO_PKG_VERSION"));
    let man = Man::new(command.clone()).source(source).manual("User Commands");
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    // Options are not to be broken, and lines of them can't be filled.
    text.extend_from_slice(b".ad l\n.nh\n");
    man.render_name_section(&mut text)?;
    let mut synopsis = Vec::new();
    man.render_synopsis_section(&mut synopsis)?;
    // A long choice may be broken behind each of its bars.
    text.extend_from_slice(String::from_utf8_lossy(&synopsis).replace("|\\f", "|\\:\\f").as_bytes());
    man.render_description_section(&mut text)?;
    if command.get_arguments().any(|argument| !argument.is_hide_set()) {
        man.render_options_section(&mut text)?;
    }
    if command.get_subcommands().next().is_some() {
        man.render_subcommands_section(&mut text)?;
    }
    more(page).to_writer(&mut text)?;
    File::create(folder.join(man.get_filename()))?.write_all(&text)
}

/// What a page says beyond the options. The page of the command itself has what all of them share.
fn more(page: Option<&Page>) -> Roff {
    let mut roff = Roff::new();
    let list = |roff: &mut Roff, title: &str, items: &[(String, &str)]| {
        roff.control("SH", [title]);
        for (name, what) in items {
            roff.control("TP", []).text([bold(name.as_str())]).text([roman(*what)]);
        }
    };
    let output: Vec<_> =
        page.map_or(&[][..], |page| page.output).iter().map(|(name, what)| ((*name).to_owned(), *what)).collect();
    if !output.is_empty() {
        list(&mut roff, "OUTPUT", &output);
    }
    let is_of_page = |status: &u8| page.is_none_or(|page| page.exits.contains(status));
    let exits: Vec<_> = EXITS
        .iter()
        .filter(|(status, _)| is_of_page(status))
        .map(|(status, what)| (status.to_string(), *what))
        .collect();
    list(&mut roff, "EXIT STATUS", &exits);
    let examples = match page {
        Some(page) => page.examples.to_vec(),
        None => PAGES.iter().take(4).filter_map(|page| page.examples.first().copied()).collect(),
    };
    roff.control("SH", ["EXAMPLES"]);
    for (what, example) in examples {
        roff.control("PP", []).text([roman(format!("{what}:"))]);
        roff.control("PP", []).control("RS", ["4"]).control("nf", []).text([roman(example)]);
        roff.control("fi", []).control("RE", []);
    }
    let others = PAGES.iter().filter(|other| page.is_none_or(|page| page.command != other.command));
    let others: Vec<_> = others.map(|page| format!("signoff-{}(1)", page.command)).collect();
    let main = if page.is_some() { "signoff(1), " } else { "" };
    roff.control("SH", ["SEE ALSO"]).text([roman(format!("{main}{}", others.join(", ")))]);
    roff
}
