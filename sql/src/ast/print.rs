//! Expressions as MySQL prints them: names quoted, every operation in parentheses, synonyms under one name.
//!
//! ```text
//!   a + ifnull(b,'x') > -1 and c     (((`a` + ifnull(`b`,'x')) > -(1)) and (0 <> `c`))
//! ```
//! Error 1690 quotes an expression so, and so do definitions that the dictionary keeps. What is printed parses to an expression of the same
//! value (but for a subquery where it is only hinted at).

pub(crate) mod query;

use super::{AggKind, Aggregate, BinaryOp, CastType, ColumnName, Expr, IsTest, Literal, UnaryOp, VarScope};
use std::fmt::Write as _;

/// How names and texts are printed.
pub(crate) struct Style<'a> {
    /// A column, quoted and qualified as wanted.
    pub(crate) column: &'a dyn Fn(&ColumnName) -> String,
    /// What stands before a text without an introducer of its own.
    pub(crate) introducer: &'static str,
    /// A table, quoted and qualified as wanted; `None`: subqueries are only hinted at.
    pub(crate) table: Option<query::TableStyle<'a>>,
    /// Nothing is added behind so many bytes.
    pub(crate) limit: usize,
}

/// `` `name` ``, backquotes doubled.
pub(crate) fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// The expression in MySQL's spelling.
pub(crate) fn expression(expr: &Expr, style: &Style<'_>) -> String {
    let mut out = Printer { style, text: String::new() };
    out.expr(expr);
    out.text
}

struct Printer<'a> {
    style: &'a Style<'a>,
    text: String,
}

/// Is the value 0, 1 or NULL whatever the operands? MySQL turns other conditions into `(0 <> x)`.
pub(crate) fn is_condition(expr: &Expr) -> bool {
    match expr {
        Expr::Binary(op, ..) => op.is_comparison() || *op == BinaryOp::Xor,
        Expr::Unary(UnaryOp::Not, _)
        | Expr::And(_)
        | Expr::Or(_)
        | Expr::Is { .. }
        | Expr::Between { .. }
        | Expr::In { .. }
        | Expr::Like { .. }
        | Expr::Regexp { .. }
        | Expr::Exists(_)
        | Expr::InQuery { .. }
        | Expr::Quantified { .. }
        | Expr::Literal(Literal::Bool(_)) => true,
        Expr::Func { name, .. } => {
            matches!(
                name.to_ascii_lowercase().as_str(),
                "isnull" | "regexp_like" | "json_contains" | "json_valid"
            )
        }
        _ => false,
    }
}

fn sign(op: BinaryOp) -> &'static str {
    use BinaryOp::*;
    match op {
        Add => "+",
        Sub => "-",
        Mul => "*",
        Div => "/",
        IntDiv => "DIV",
        Mod => "%",
        BitAnd => "&",
        BitOr => "|",
        BitXor => "^",
        Shl => "<<",
        Shr => ">>",
        Eq => "=",
        NullSafeEq => "<=>",
        Ne => "<>",
        Lt => "<",
        Le => "<=",
        Gt => ">",
        Ge => ">=",
        Xor => "xor",
    }
}

/// The comparison that holds where `op` does not.
fn opposite(op: BinaryOp) -> Option<BinaryOp> {
    use BinaryOp::*;
    Some(match op {
        Eq => Ne,
        Ne => Eq,
        Lt => Ge,
        Ge => Lt,
        Gt => Le,
        Le => Gt,
        _ => return None,
    })
}

/// The name that MySQL prints for a function.
fn canonical(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    match name.as_str() {
        "character_length" => "char_length".into(),
        "ucase" => "upper".into(),
        "lcase" => "lower".into(),
        "substring" | "mid" => "substr".into(),
        "power" => "pow".into(),
        "ceil" => "ceiling".into(),
        "octet_length" => "length".into(),
        "current_timestamp" | "localtime" | "localtimestamp" => "now".into(),
        "current_date" => "curdate".into(),
        "current_time" => "curtime".into(),
        "day" => "dayofmonth".into(),
        "sha" => "sha1".into(),
        "schema" => "database".into(),
        _ => name,
    }
}

pub(super) fn aggregate_name(kind: AggKind) -> &'static str {
    match kind {
        AggKind::Count => "count",
        AggKind::Sum => "sum",
        AggKind::Avg => "avg",
        AggKind::Min => "min",
        AggKind::Max => "max",
        AggKind::BitAnd => "bit_and",
        AggKind::BitOr => "bit_or",
        AggKind::BitXor => "bit_xor",
        AggKind::StddevPop => "std",
        AggKind::StddevSamp => "stddev_samp",
        AggKind::VarPop => "variance",
        AggKind::VarSamp => "var_samp",
        AggKind::GroupConcat => "group_concat",
        AggKind::AnyValue => "any_value",
        AggKind::JsonArray => "json_arrayagg",
        AggKind::JsonObject => "json_objectagg",
    }
}

impl Printer<'_> {
    fn put(&mut self, text: &str) {
        if self.text.len() < self.style.limit {
            self.text.push_str(text);
        }
    }

    fn between(&mut self, before: &str, expr: &Expr, after: &str) {
        self.put(before);
        self.expr(expr);
        self.put(after);
    }

    fn list<'e>(&mut self, list: impl IntoIterator<Item = &'e Expr>, separator: &str) {
        for (i, expr) in list.into_iter().enumerate() {
            if i > 0 {
                self.put(separator);
            }
            self.expr(expr);
        }
    }

    fn call<'e>(&mut self, name: &str, args: impl IntoIterator<Item = &'e Expr>) {
        self.put(name);
        self.put("(");
        self.list(args, ",");
        self.put(")");
    }

    /// An operand of AND, OR, XOR, NOT, IS TRUE.
    fn condition(&mut self, expr: &Expr) {
        if is_condition(expr) { self.expr(expr) } else { self.between("(0 <> ", expr, ")") }
    }

    fn conditions(&mut self, list: &[Expr], word: &str) {
        self.put("(");
        for (i, expr) in list.iter().enumerate() {
            if i > 0 {
                self.put(word);
            }
            self.condition(expr);
        }
        self.put(")");
    }

    fn expr(&mut self, expr: &Expr) {
        if self.text.len() >= self.style.limit {
            return;
        }
        match expr {
            Expr::Literal(literal) => self.literal(literal),
            Expr::Param(_) => self.put("?"),
            Expr::Column(name) => {
                let text = (self.style.column)(name);
                self.put(&text);
            }
            Expr::UserVar(name) => self.put(&format!("(@{})", quoted(name))),
            Expr::Assign(name, value) => self.between(&format!("(@{name}:="), value, ")"),
            Expr::SysVar { scope, name } => {
                let scope = if *scope == VarScope::Global { "global." } else { "" };
                self.put(&format!("@@{scope}{name}"));
            }
            Expr::Unary(op, inner) => self.unary(*op, inner),
            Expr::Binary(op, left, right) => self.binary(*op, left, right),
            Expr::And(list) => self.conditions(list, " and "),
            Expr::Or(list) => self.conditions(list, " or "),
            Expr::Is { expr, test: IsTest::False, not: false }
                if self.style.table.is_some() && matches!(**expr, Expr::InQuery { .. }) =>
            {
                self.unary(UnaryOp::Not, expr);
            }
            Expr::Is { expr, test, not } => self.is(expr, *test, *not),
            Expr::Between { expr, low, high, not } => {
                self.between("(", expr, if *not { " not between " } else { " between " });
                self.between("", low, " and ");
                self.between("", high, ")");
            }
            // MySQL's parser makes a comparison of it.
            Expr::In { expr, list, not } if list.len() == 1 && !matches!(**expr, Expr::Row(_)) => {
                self.binary(if *not { BinaryOp::Ne } else { BinaryOp::Eq }, expr, &list[0]);
            }
            Expr::In { expr, list, not } => {
                self.between("(", expr, if *not { " not in (" } else { " in (" });
                self.list(list, ",");
                self.put("))");
            }
            Expr::Like { expr, pattern, escape, not } => {
                self.put(if *not { "(not((" } else { "(" });
                self.between("", expr, " like ");
                self.expr(pattern);
                if let Some(escape) = escape {
                    self.between(" escape ", escape, "");
                }
                self.put(if *not { ")))" } else { ")" });
            }
            Expr::Regexp { expr, pattern, not } => {
                self.put(if *not { "(not(" } else { "" });
                self.call("regexp_like", [&**expr, &**pattern]);
                self.put(if *not { "))" } else { "" });
            }
            Expr::Case { operand, whens, otherwise } => {
                self.case(operand.as_deref(), whens, otherwise.as_deref())
            }
            Expr::Cast { expr, to } => self.cast(expr, to),
            Expr::Using { expr, charset } => self.between("convert(", expr, &format!(" using {charset})")),
            Expr::Collate { expr, collation } => self.between("(", expr, &format!(" collate {collation})")),
            Expr::AddInterval { expr, amount, unit, negate } => {
                self.between("(", expr, if *negate { " - interval " } else { " + interval " });
                self.between("", amount, &format!(" {})", unit.name().to_lowercase()));
            }
            Expr::Extract { unit, expr } => {
                self.between(&format!("extract({} from ", unit.name().to_lowercase()), expr, ")")
            }
            Expr::TimestampDiff { unit, from, to } => {
                self.put(&format!("timestampdiff({},", unit.name()));
                self.list([&**from, &**to], ",");
                self.put(")");
            }
            Expr::Func { name, args } => self.function(name, args),
            Expr::Aggregate(aggregate) => self.aggregate(aggregate),
            Expr::Row(list) => {
                self.put("(");
                self.list(list, ",");
                self.put(")");
            }
            Expr::Subquery(_)
            | Expr::Exists(_)
            | Expr::InQuery { .. }
            | Expr::Quantified { .. }
            | Expr::Over { .. } => self.nested(expr),
            Expr::Grouping(list) => self.call("grouping", list),
            Expr::Values(name) => {
                let text = (self.style.column)(name);
                self.put(&format!("values({text})"));
            }
            Expr::Default(name) => {
                let text = (self.style.column)(name);
                self.put(&format!("default({text})"));
            }
        }
    }

    /// What holds a query or a window: whole in the text of a view, else shortened as MySQL's messages have it.
    fn nested(&mut self, expr: &Expr) {
        match expr {
            Expr::Subquery(query) if self.style.table.is_some() => self.subquery("(", query, ")"),
            Expr::Exists(query) if self.style.table.is_some() => self.subquery("exists(", query, ")"),
            Expr::InQuery { expr, query, not } if self.style.table.is_some() => {
                self.expr(expr);
                self.subquery(" in (", query, if *not { ") is false" } else { ")" });
            }
            Expr::Quantified { op, all, expr, query } if self.style.table.is_some() => {
                self.expr(expr);
                match (op, all) {
                    (BinaryOp::Eq, false) => self.put(" in ("),
                    _ => self.put(&format!(" {} {} (", sign(*op), if *all { "all" } else { "any" })),
                }
                self.subquery("", query, ")");
            }
            Expr::Subquery(_) => self.put("(select #)"),
            Expr::Exists(_) => self.put("exists(select #)"),
            Expr::InQuery { expr, not, .. } => {
                self.between("(", expr, if *not { " not in (select #))" } else { " in (select #))" })
            }
            Expr::Quantified { op, all, expr, .. } => {
                let word = if *all { "all" } else { "any" };
                self.between("(", expr, &format!(" {} {word} (select #))", sign(*op)));
            }
            Expr::Over { call, window } if self.style.table.is_some() => {
                self.expr(call);
                self.over(window);
            }
            Expr::Over { call, .. } => self.between("", call, " OVER ()"),
            _ => self.expr(expr),
        }
    }

    fn subquery(&mut self, before: &str, query: &super::Query, after: &str) {
        self.put(before);
        self.query(query, false);
        self.put(after);
    }

    fn unary(&mut self, op: UnaryOp, inner: &Expr) {
        match (op, inner) {
            (UnaryOp::Plus, _) => self.expr(inner),
            (UnaryOp::Neg, _) => self.between("-(", inner, ")"),
            (UnaryOp::BitNot, _) => self.between("~(", inner, ")"),
            (UnaryOp::Not, Expr::Binary(op, left, right)) if opposite(*op).is_some() => {
                self.binary(opposite(*op).unwrap_or(*op), left, right);
            }
            (UnaryOp::Not, Expr::Is { expr, test, not }) => self.is(expr, *test, !not),
            (UnaryOp::Not, Expr::Between { expr, low, high, not }) => {
                let (expr, low, high) = (expr.clone(), low.clone(), high.clone());
                self.expr(&Expr::Between { expr, low, high, not: !not });
            }
            (UnaryOp::Not, Expr::In { expr, list, not }) => {
                self.expr(&Expr::In { expr: expr.clone(), list: list.clone(), not: !not });
            }
            (UnaryOp::Not, Expr::Exists(_)) => self.between("(not ", inner, ")"),
            (UnaryOp::Not, Expr::InQuery { expr, query, not }) => {
                self.expr(&Expr::InQuery { expr: expr.clone(), query: query.clone(), not: !not });
            }
            (UnaryOp::Not, Expr::And(list)) => self.negated(list, " or "),
            (UnaryOp::Not, Expr::Or(list)) => self.negated(list, " and "),
            (UnaryOp::Not, inner) if is_condition(inner) => self.between("(not(", inner, "))"),
            (UnaryOp::Not, _) => self.between("(0 = ", inner, ")"),
        }
    }

    /// NOT of a list is the other list of NOTs.
    fn negated(&mut self, list: &[Expr], word: &str) {
        self.put("(");
        for (i, expr) in list.iter().enumerate() {
            if i > 0 {
                self.put(word);
            }
            self.unary(UnaryOp::Not, expr);
        }
        self.put(")");
    }

    fn binary(&mut self, op: BinaryOp, left: &Expr, right: &Expr) {
        if let (BinaryOp::Eq, Expr::Row(l), Expr::Row(r)) = (op, left, right)
            && l.len() == r.len()
        {
            self.put("(");
            for (i, (l, r)) in l.iter().zip(r).enumerate() {
                self.put(if i > 0 { " and " } else { "" });
                self.binary(op, l, r);
            }
            return self.put(")");
        }
        self.put("(");
        if op == BinaryOp::Xor {
            self.condition(left)
        } else {
            self.expr(left)
        }
        self.put(&format!(" {} ", sign(op)));
        if op == BinaryOp::Xor {
            self.condition(right)
        } else {
            self.expr(right)
        }
        self.put(")");
    }

    fn is(&mut self, expr: &Expr, test: IsTest, not: bool) {
        self.put("(");
        match test {
            IsTest::Null | IsTest::Unknown => self.expr(expr),
            IsTest::True | IsTest::False => self.condition(expr),
        }
        self.put(if not { " is not " } else { " is " });
        self.put(match test {
            IsTest::Null | IsTest::Unknown => "null)",
            IsTest::True => "true)",
            IsTest::False => "false)",
        });
    }

    fn case(&mut self, operand: Option<&Expr>, whens: &[(Expr, Expr)], otherwise: Option<&Expr>) {
        self.put("(case ");
        if let Some(operand) = operand {
            self.between("", operand, " ");
        }
        for (when, then) in whens {
            self.between("when ", when, " then ");
            self.between("", then, " ");
        }
        if let Some(otherwise) = otherwise {
            self.between("else ", otherwise, " ");
        }
        self.put("end)");
    }

    fn cast(&mut self, expr: &Expr, to: &CastType) {
        let fraction = |fsp: u8| if fsp == 0 { String::new() } else { format!("({fsp})") };
        let length = |len: &Option<u32>| len.map(|n| format!("({n})")).unwrap_or_default();
        let to = match to {
            CastType::Signed => "signed".to_owned(),
            CastType::Unsigned => "unsigned".into(),
            CastType::Char { len, charset } => {
                format!("char{} charset {}", length(len), charset.as_deref().unwrap_or("utf8mb4"))
            }
            CastType::Binary { len } => format!("char{} charset binary", length(len)),
            CastType::Decimal { precision, scale } => format!("decimal({precision},{scale})"),
            CastType::Float => "float".into(),
            CastType::Double => "double".into(),
            CastType::Date => "date".into(),
            CastType::Time { fsp } => format!("time{}", fraction(*fsp)),
            CastType::DateTime { fsp } => format!("datetime{}", fraction(*fsp)),
            CastType::Year => "year".into(),
            CastType::Json => "json".into(),
            // Never written: the binder's own.
            CastType::Fit | CastType::Within { .. } => return self.expr(expr),
        };
        self.between("cast(", expr, &format!(" as {to})"));
    }

    fn function(&mut self, name: &str, args: &[Expr]) {
        let name = canonical(name);
        match (name.as_str(), args) {
            ("mod", [l, r]) => self.binary(BinaryOp::Mod, l, r),
            ("isnull", [one]) => self.is(one, IsTest::Null, false),
            ("date", [one]) => self.between("cast(", one, " as date)"),
            ("time", [one]) => self.between("cast(", one, " as time)"),
            ("timestamp", [one]) => self.between("cast(", one, " as datetime)"),
            ("instr", [hay, needle]) => self.call("locate", [needle, hay]),
            ("round", [one]) => self.between("round(", one, ",0)"),
            ("week", [one]) => self.between("week(", one, ",0)"),
            ("datediff", [l, r]) => {
                self.between("(to_days(", l, ") - to_days(");
                self.between("", r, "))");
            }
            ("trim" | "ltrim" | "rtrim", [text, what]) => {
                let side = match name.as_str() {
                    "ltrim" => "leading",
                    "rtrim" => "trailing",
                    _ => "both",
                };
                self.between(&format!("trim({side} "), what, " from ");
                self.between("", text, ")");
            }
            ("get_format", [Expr::Literal(Literal::Str { bytes, .. }), place]) => {
                let kind = String::from_utf8_lossy(bytes).into_owned();
                self.between(&format!("get_format({kind}, "), place, ")");
            }
            _ => self.call(&name, args),
        }
    }

    fn aggregate(&mut self, aggregate: &Aggregate) {
        self.put(aggregate_name(aggregate.kind));
        self.put(if aggregate.distinct { "(distinct " } else { "(" });
        if aggregate.args.is_empty() {
            self.put("0");
        }
        self.list(&aggregate.args, ",");
        if aggregate.kind == AggKind::GroupConcat {
            for (i, item) in aggregate.order_by.iter().enumerate() {
                self.put(if i == 0 { " order by " } else { "," });
                self.between("", &item.expr, if item.desc { " DESC" } else { " ASC" });
            }
            let separator = aggregate.separator.as_deref().unwrap_or(b",");
            self.put(&format!(" separator '{}'", escaped(&String::from_utf8_lossy(separator))));
        }
        self.put(")");
    }

    fn literal(&mut self, literal: &Literal) {
        let text = match literal {
            Literal::Null => "NULL".to_owned(),
            Literal::Bool(b) => b.to_string(),
            Literal::Int(n) => n.to_string(),
            Literal::Decimal(text) => text.clone(),
            Literal::Float(_, text) => text.to_string(),
            Literal::Str { bytes, charset } => {
                let charset = charset.as_ref().map(|c| format!("_{c}"));
                let introducer = charset.as_deref().unwrap_or(self.style.introducer);
                format!("{introducer}'{}'", escaped(&String::from_utf8_lossy(bytes)))
            }
            Literal::Hex { bytes, charset, .. } => {
                let mut out = charset.as_ref().map(|c| format!("_{c} ")).unwrap_or_default();
                out.push_str("0x");
                bytes.iter().for_each(|b| {
                    let _ = write!(out, "{b:02X}");
                });
                out
            }
            Literal::Date(text) => format!("DATE'{text}'"),
            Literal::Time(text) => format!("TIME'{text}'"),
            Literal::Timestamp(text) => format!("TIMESTAMP'{text}'"),
        };
        self.put(&text);
    }
}

/// The inside of a quoted text, as MySQL escapes it.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\'' => out.push_str("\\'"),
            '\0' => out.push_str("\\0"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\u{1a}' => out.push_str("\\Z"),
            other => out.push(other),
        }
    }
    out
}
