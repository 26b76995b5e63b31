//! What is on the screen, and what keys do to it. Pure: it draws into a frame, whatever that is of.

use ratatui::Frame;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Clear, Paragraph, Row, Sparkline, TableState};

use super::figures::{Figures, Pace};
use super::tables::{self, Mood, Side, Table, Turn};
use super::words::{bytes, count, known, micros, percent, short, span, tame};
use crate::status::Status;

/// Whether there are colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Palette {
    Coloured,
    Plain,
}

/// Whether it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    GoOn,
    End,
}

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum View {
    Overview,
    Keys,
    Reasons,
    Members,
    Purges,
    Problems,
}

impl View {
    const ALL: [View; 6] =
        [View::Overview, View::Keys, View::Reasons, View::Members, View::Purges, View::Problems];

    fn title(self) -> &'static str {
        match self {
            View::Overview => "Overview",
            View::Keys => "Keys",
            View::Reasons => "Reasons",
            View::Members => "Members",
            View::Purges => "Purges",
            View::Problems => "Problems",
        }
    }

    /// The table that it is about, which is sorted and scrolled.
    fn table(self, status: &Status) -> Table {
        match self {
            View::Overview => tables::tiers(status),
            View::Keys => tables::hottest(status),
            View::Reasons => tables::reasons(status),
            View::Members => tables::members(status),
            View::Purges => tables::purges(status),
            View::Problems => tables::problems(status),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pause {
    No,
    Yes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manual {
    Closed,
    Open,
}

/// A chart: its title, its top where that is fixed, and what it shows of each pace.
type Chart = (&'static str, Option<u64>, fn(&Pace) -> f64);

/// What is shown, and how.
pub(super) struct Shown {
    figures: Figures,
    palette: Palette,
    view: View,
    /// By which column each view is sorted; as it came where by none.
    sorted: [Option<(usize, Turn)>; View::ALL.len()],
    scrolled: usize,
    pause: Pause,
    manual: Manual,
    failure: Option<String>,
}

impl Shown {
    pub(super) fn new(figures: Figures, palette: Palette) -> Self {
        Shown {
            figures,
            palette,
            view: View::Overview,
            sorted: [None; View::ALL.len()],
            scrolled: 0,
            pause: Pause::No,
            manual: Manual::Closed,
            failure: None,
        }
    }

    /// Takes what the node answered, or why it did not.
    pub(super) fn hear(&mut self, answer: Result<Status, String>) {
        match answer {
            Ok(_) if self.pause == Pause::Yes => {}
            Ok(status) => {
                self.figures.hear(status);
                self.failure = None;
            }
            Err(why) => self.failure = Some(why),
        }
    }

    /// Does what a key says.
    pub(super) fn press(&mut self, key: KeyEvent) -> After {
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c' | 'd') if is_control => return After::End,
            KeyCode::Char('?' | 'h') => self.manual = turned(self.manual),
            KeyCode::Esc if self.manual == Manual::Open => self.manual = Manual::Closed,
            KeyCode::Char('q') | KeyCode::Esc => return After::End,
            KeyCode::Char(digit @ '1'..='6') => self.look_at(digit as usize - '1' as usize),
            KeyCode::Tab | KeyCode::Right => self.look_at(self.place() + 1),
            KeyCode::BackTab | KeyCode::Left => self.look_at(self.place() + View::ALL.len() - 1),
            KeyCode::Char('s') => self.sort_by_next(),
            KeyCode::Char('r') => self.turn_round(),
            KeyCode::Char('p' | ' ') => {
                self.pause = if self.pause == Pause::Yes { Pause::No } else { Pause::Yes };
            }
            KeyCode::Down | KeyCode::Char('j') => self.scrolled += 1,
            KeyCode::Up | KeyCode::Char('k') => self.scrolled = self.scrolled.saturating_sub(1),
            KeyCode::PageDown => self.scrolled += 10,
            KeyCode::PageUp => self.scrolled = self.scrolled.saturating_sub(10),
            KeyCode::Home => self.scrolled = 0,
            _ => {}
        }
        After::GoOn
    }

    fn place(&self) -> usize {
        self.view as usize
    }

    fn look_at(&mut self, place: usize) {
        self.view = View::ALL[place % View::ALL.len()];
        self.scrolled = 0;
    }

    fn sort_by_next(&mut self) {
        let columns = self.view.table(self.figures.status()).columns.len();
        let place = self.place();
        let next = self.sorted[place].map_or(0, |(by, _)| by + 1);
        self.sorted[place] = (next < columns).then_some((next, Turn::AsEver));
    }

    fn turn_round(&mut self) {
        let place = self.place();
        let (by, turn) = self.sorted[place].unwrap_or_default();
        let turn = if turn == Turn::AsEver { Turn::Round } else { Turn::AsEver };
        self.sorted[place] = Some((by, turn));
    }

    /// Draws all of it.
    pub(super) fn draw(&mut self, frame: &mut Frame<'_>) {
        let [head, sums, views, body, foot] = Layout::vertical([
            Constraint::Length(1),
            Constraint::Length(1),
            Constraint::Length(1),
            Constraint::Fill(1),
            Constraint::Length(1),
        ])
        .areas(frame.area());
        self.draw_head(frame, head);
        frame.render_widget(Paragraph::new(self.sums()), sums);
        frame.render_widget(Paragraph::new(self.views()), views);
        match self.view {
            View::Overview => self.draw_overview(frame, body),
            View::Purges => self.draw_purges(frame, body),
            View::Keys | View::Reasons | View::Members | View::Problems => {
                self.draw_main(frame, body);
            }
        }
        self.draw_foot(frame, foot);
        if self.manual == Manual::Open {
            self.draw_manual(frame);
        }
    }

    fn draw_head(&self, frame: &mut Frame<'_>, area: Rect) {
        let status = self.figures.status();
        let (state, mood) = match (&self.failure, self.pause, &*status.phase, status.log.in_doubt) {
            (Some(_), ..) => ("lost", Mood::Bad),
            (None, Pause::Yes, ..) => ("paused", Mood::Warn),
            (None, Pause::No, "draining", _) => ("draining", Mood::Warn),
            (None, Pause::No, _, true) => ("in doubt", Mood::Warn),
            (None, Pause::No, _, false) => ("live", Mood::Good),
        };
        let line = Line::from(vec![
            Span::styled("Forebay ", self.strong()),
            Span::raw(format!("{}  ", tame(&status.node))),
            Span::styled(state, self.of(mood)),
        ]);
        frame.render_widget(Paragraph::new(line), area);
        let uptime = format!("{}  up {}", tame(&status.version), span(status.uptime_millis));
        let right = Line::from(Span::styled(uptime, self.faint())).alignment(Alignment::Right);
        let [_, place] =
            Layout::horizontal([Constraint::Fill(1), Constraint::Length(22)]).areas(area);
        frame.render_widget(Paragraph::new(right), place);
    }

    fn sums(&self) -> Line<'static> {
        let pace = self.figures.pace();
        let parts = [
            ("hits ", known(pace.hit_ratio, percent)),
            ("req/s ", short(pace.requests)),
            ("origin/s ", short(pace.origin_requests)),
            ("out ", format!("{}/s", bytes(pace.bytes))),
            ("p50 ", known(pace.p50_micros, micros)),
            ("p99 ", known(pace.p99_micros, micros)),
        ];
        let spans = parts.into_iter().flat_map(|(name, value)| {
            [Span::styled(name, self.faint()), Span::styled(value, self.strong()), Span::raw("  ")]
        });
        Line::from(spans.collect::<Vec<_>>())
    }

    fn views(&self) -> Line<'static> {
        let spans = View::ALL.iter().enumerate().map(|(place, view)| {
            let text = format!(" {} {} ", place + 1, view.title());
            match *view == self.view {
                true => Span::styled(text, Style::new().add_modifier(Modifier::REVERSED)),
                false => Span::styled(text, self.faint()),
            }
        });
        Line::from(spans.collect::<Vec<_>>())
    }

    fn draw_foot(&self, frame: &mut Frame<'_>, area: Rect) {
        let line = match &self.failure {
            Some(why) => Line::from(Span::styled(tame(why), self.of(Mood::Bad))),
            None => Line::from(Span::styled(
                "1-6 view  s sort  r reverse  p pause  up/down scroll  ? help  q quit",
                self.faint(),
            )),
        };
        frame.render_widget(Paragraph::new(line), area);
    }

    fn draw_overview(&mut self, frame: &mut Frame<'_>, area: Rect) {
        let tiers = self.figures.status().tiers.len() as u16 + 3;
        let [charts, results, below] = Layout::vertical([
            Constraint::Fill(1),
            Constraint::Length(2),
            Constraint::Length(tiers.min(area.height / 2)),
        ])
        .areas(area);
        self.draw_charts(frame, charts);
        let traffic = &self.figures.status().traffic;
        let words = traffic.results.iter().filter(|it| it.count > 0);
        let words = words.map(|it| format!("{} {}", tame(&it.word), count(it.count)));
        let words = words.collect::<Vec<_>>().join("  ");
        let sums = format!(
            "{} exchanges, {} origin requests, {} saved",
            count(traffic.requests),
            count(traffic.origin_requests),
            count(traffic.origin_saved)
        );
        let lines = vec![Line::raw(sums), Line::from(Span::styled(words, self.faint()))];
        frame.render_widget(Paragraph::new(lines), results);
        self.draw_main(frame, below);
    }

    fn draw_charts(&self, frame: &mut Frame<'_>, area: Rect) {
        let paces = self.figures.paces();
        let rows: [Rect; 2] = Layout::vertical([Constraint::Fill(1); 2]).areas(area);
        let cells: Vec<Rect> = rows
            .iter()
            .flat_map(|row| {
                Layout::horizontal([Constraint::Fill(1); 2]).spacing(2).areas::<2>(*row)
            })
            .collect();
        let thousandths = |share: f64| (share * 1000.0) as u64;
        let charts: [Chart; 4] = [
            ("Hit ratio", Some(thousandths(1.0)), |it| it.hit_ratio.unwrap_or(0.0)),
            ("Requests a second", None, |it| it.requests),
            ("Origin requests a second", None, |it| it.origin_requests),
            ("p99 in milliseconds", None, |it| it.p99_micros.unwrap_or(0) as f64 / 1000.0),
        ];
        for ((title, max, of), cell) in charts.into_iter().zip(cells) {
            let fits = usize::from(cell.width.saturating_sub(2));
            let from = paces.len().saturating_sub(fits);
            let data: Vec<u64> = paces[from..].iter().map(|pace| thousandths(of(pace))).collect();
            let most = max.unwrap_or(0).max(data.iter().copied().max().unwrap_or(0)).max(1);
            let to = match max {
                Some(_) => "100%".to_owned(),
                None => short(most as f64 / 1000.0),
            };
            let block = self.block(title).title_top(Line::raw(format!("to {to}")).right_aligned());
            let chart = Sparkline::default().block(block).data(data).max(most);
            frame.render_widget(chart.style(self.accent()), cell);
        }
    }

    fn draw_purges(&mut self, frame: &mut Frame<'_>, area: Rect) {
        let nodes = self.figures.status().nodes.len() as u16 + 3;
        let [above, below] =
            Layout::vertical([Constraint::Length(nodes.min(area.height / 2)), Constraint::Fill(1)])
                .areas(area);
        let table = tables::nodes(self.figures.status());
        self.draw_table(frame, above, &table, None, 0);
        self.draw_main(frame, below);
    }

    /// The view's own table, sorted and scrolled.
    fn draw_main(&mut self, frame: &mut Frame<'_>, area: Rect) {
        let mut table = self.view.table(self.figures.status());
        let sorted = self.sorted[self.place()];
        if let Some((by, turn)) = sorted {
            table.sort(by, turn);
        }
        self.scrolled = self.scrolled.min(table.rows.len().saturating_sub(1));
        self.draw_table(frame, area, &table, sorted, self.scrolled);
    }

    fn draw_table(
        &self,
        frame: &mut Frame<'_>,
        area: Rect,
        table: &Table,
        sorted: Option<(usize, Turn)>,
        from: usize,
    ) {
        let block = self.block(table.title);
        if table.rows.is_empty() {
            let words = Paragraph::new(Span::styled(table.empty, self.faint()));
            return frame.render_widget(words.block(block), area);
        }
        let heads = table.columns.iter().enumerate().map(|(place, column)| {
            let mark = match sorted {
                Some((by, Turn::AsEver)) if by == place => "*",
                Some((by, Turn::Round)) if by == place => "^",
                Some(_) | None => "",
            };
            Line::raw(format!("{}{mark}", column.title)).alignment(side(column.side))
        });
        let head = Row::new(heads.collect::<Vec<_>>()).style(self.faint());
        let rows = table.rows.iter().map(|row| {
            Row::new(row.iter().zip(table.columns).map(|(cell, column)| {
                Line::from(Span::styled(cell.text.clone(), self.of(cell.mood)))
                    .alignment(side(column.side))
            }))
        });
        let drawn =
            ratatui::widgets::Table::new(rows, widths(table, sorted)).header(head).block(block);
        let mut state = TableState::new().with_offset(from);
        frame.render_stateful_widget(drawn.column_spacing(1), area, &mut state);
    }

    fn draw_manual(&self, frame: &mut Frame<'_>) {
        const LINES: [&str; 12] = [
            "1 to 6, Tab, left, right   another view",
            "up, down, j, k, pages      scroll",
            "s                          sort by the next column (*)",
            "r                          the other way round (^)",
            "p, space                   pause, go on",
            "? or h                     this",
            "q, Esc, Ctrl-C             end",
            "",
            "Rates are between two answers of the node, the hit",
            "ratio, p50 and p99 of the last ten. All else counts",
            "from the start of the process. What each number",
            "means: the page `watching` of the manual.",
        ];
        let area = middle(frame.area(), 56, LINES.len() as u16 + 2);
        frame.render_widget(Clear, area);
        let lines = LINES.iter().map(|line| Line::raw(*line)).collect::<Vec<_>>();
        let block = self.block("Keys").borders(Borders::ALL);
        frame.render_widget(Paragraph::new(lines).block(block), area);
    }

    fn block(&self, title: &'static str) -> Block<'static> {
        let block = Block::new().borders(Borders::TOP).border_style(self.faint());
        block.title(Span::styled(format!("{title} "), self.strong()))
    }

    fn strong(&self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    fn faint(&self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    fn accent(&self) -> Style {
        match self.palette {
            Palette::Coloured => Style::new().fg(Color::Cyan),
            Palette::Plain => Style::new(),
        }
    }

    fn of(&self, mood: Mood) -> Style {
        let colour = match (self.palette, mood) {
            (Palette::Plain, Mood::Bad) => return self.strong(),
            (Palette::Plain, Mood::Even | Mood::Good | Mood::Warn) => return Style::new(),
            (Palette::Coloured, Mood::Even) => return Style::new(),
            (Palette::Coloured, Mood::Good) => Color::Green,
            (Palette::Coloured, Mood::Warn) => Color::Yellow,
            (Palette::Coloured, Mood::Bad) => Color::Red,
        };
        Style::new().fg(colour)
    }
}

fn turned(manual: Manual) -> Manual {
    match manual {
        Manual::Closed => Manual::Open,
        Manual::Open => Manual::Closed,
    }
}

fn side(side: Side) -> Alignment {
    match side {
        Side::Left | Side::Wide => Alignment::Left,
        Side::Right => Alignment::Right,
    }
}

/// A number's column is as wide as its widest; one of free text takes what is left.
fn widths(table: &Table, sorted: Option<(usize, Turn)>) -> Vec<Constraint> {
    let width = |place: usize| {
        let cells = table.rows.iter().map(|row| row[place].text.chars().count());
        let mark = usize::from(sorted.is_some_and(|(by, _)| by == place));
        cells.chain([table.columns[place].title.len() + mark]).max().unwrap_or(0) as u16
    };
    let of = |(place, column): (usize, &tables::Column)| match column.side {
        Side::Left | Side::Right => Constraint::Length(width(place)),
        Side::Wide => Constraint::Fill(1),
    };
    table.columns.iter().enumerate().map(of).collect()
}

fn middle(area: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(area.width), height.min(area.height));
    let (x, y) = (area.x + (area.width - width) / 2, area.y + (area.height - height) / 2);
    Rect { x, y, width, height }
}

#[cfg(test)]
mod tests;
