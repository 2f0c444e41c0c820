//! Expressions as text with every operation in parentheses, so that two trees can be compared as two strings.

use crate::ast::{BinaryOp, CastType, ColumnName, Expr, IsTest, Literal, UnaryOp};

fn operator(op: BinaryOp) -> &'static str {
    match op {
        BinaryOp::Add => "+",
        BinaryOp::Sub => "-",
        BinaryOp::Mul => "*",
        BinaryOp::Div => "/",
        BinaryOp::IntDiv => "DIV",
        BinaryOp::Mod => "%",
        BinaryOp::BitAnd => "&",
        BinaryOp::BitOr => "|",
        BinaryOp::BitXor => "^",
        BinaryOp::Shl => "<<",
        BinaryOp::Shr => ">>",
        BinaryOp::Eq => "=",
        BinaryOp::NullSafeEq => "<=>",
        BinaryOp::Ne => "<>",
        BinaryOp::Lt => "<",
        BinaryOp::Le => "<=",
        BinaryOp::Gt => ">",
        BinaryOp::Ge => ">=",
        BinaryOp::Xor => "XOR",
    }
}

fn literal(literal: &Literal) -> String {
    match literal {
        Literal::Null => "NULL".to_owned(),
        Literal::Bool(b) => b.to_string().to_uppercase(),
        Literal::Int(n) => n.to_string(),
        Literal::Decimal(text) => text.clone(),
        Literal::Float(v, _) => format!("{v:e}"),
        Literal::Str { bytes, .. } => format!("'{}'", String::from_utf8_lossy(bytes)),
        Literal::Hex { bytes, .. } => {
            format!("x'{}'", bytes.iter().map(|b| format!("{b:02X}")).collect::<String>())
        }
        Literal::Date(text) => format!("DATE'{text}'"),
        Literal::Time(text) => format!("TIME'{text}'"),
        Literal::Timestamp(text) => format!("TIMESTAMP'{text}'"),
    }
}

fn column(name: &ColumnName) -> String {
    let parts = [name.schema.as_deref(), name.table.as_deref(), Some(name.name.as_str())];
    parts.into_iter().flatten().collect::<Vec<_>>().join(".")
}

fn joined(list: &[Expr], between: &str) -> String {
    list.iter().map(text).collect::<Vec<_>>().join(between)
}

fn target(to: &CastType) -> String {
    match to {
        CastType::Binary { len: None } => "BINARY".to_owned(),
        CastType::Char { len: None, .. } => "CHAR".to_owned(),
        CastType::Signed => "SIGNED".to_owned(),
        CastType::Unsigned => "UNSIGNED".to_owned(),
        other => format!("{other:?}"),
    }
}

/// AND and OR are lists in our tree; here they lean to the left.
fn chain(list: &[Expr], word: &str) -> String {
    let mut terms = list.iter().map(text);
    let first = terms.next().unwrap_or_default();
    terms.fold(first, |left, right| format!("({left} {word} {right})"))
}

pub(super) fn text(expr: &Expr) -> String {
    let not = |not: bool| if not { "NOT " } else { "" };
    match expr {
        Expr::Literal(l) => literal(l),
        Expr::Param(_) => "?".to_owned(),
        Expr::Column(name) => column(name),
        Expr::UserVar(name) => format!("@{name}"),
        Expr::Assign(name, value) => format!("(@{name} := {})", text(value)),
        Expr::Unary(op, inner) => match op {
            UnaryOp::Not => format!("(NOT {})", text(inner)),
            UnaryOp::Neg => format!("(- {})", text(inner)),
            UnaryOp::Plus => text(inner),
            UnaryOp::BitNot => format!("(~ {})", text(inner)),
        },
        Expr::Binary(op, l, r) => format!("({} {} {})", text(l), operator(*op), text(r)),
        Expr::And(list) => chain(list, "AND"),
        Expr::Or(list) => chain(list, "OR"),
        Expr::Is { expr, test, not: n } => {
            let test = match test {
                IsTest::Null => "NULL",
                IsTest::True => "TRUE",
                IsTest::False => "FALSE",
                IsTest::Unknown => "UNKNOWN",
            };
            format!("({} IS {}{test})", text(expr), not(*n))
        }
        Expr::Between { expr, low, high, not: n } => {
            format!("({} {}BETWEEN {} AND {})", text(expr), not(*n), text(low), text(high))
        }
        Expr::In { expr, list, not: n } => format!("({} {}IN ({}))", text(expr), not(*n), joined(list, ", ")),
        Expr::Like { expr, pattern, not: n, .. } => {
            format!("({} {}LIKE {})", text(expr), not(*n), text(pattern))
        }
        Expr::Regexp { expr, pattern, not: n } => {
            format!("({} {}REGEXP {})", text(expr), not(*n), text(pattern))
        }
        Expr::Case { operand, whens, otherwise } => {
            let mut out = String::from("CASE");
            operand.iter().for_each(|o| out += &format!(" {}", text(o)));
            whens.iter().for_each(|(when, then)| out += &format!(" WHEN {} THEN {}", text(when), text(then)));
            otherwise.iter().for_each(|o| out += &format!(" ELSE {}", text(o)));
            out + " END"
        }
        Expr::Cast { expr, to } => format!("CAST({} AS {})", text(expr), target(to)),
        Expr::Collate { expr, collation } => format!("({} COLLATE {collation})", text(expr)),
        Expr::AddInterval { expr, amount, unit, negate } => {
            let sign = if *negate { "-" } else { "+" };
            format!("({} {sign} INTERVAL {} {unit:?})", text(expr), text(amount))
        }
        Expr::Func { name, args } => format!("{name}({})", joined(args, ", ")),
        Expr::Row(list) => format!("({})", joined(list, ", ")),
        other => format!("{other:?}"),
    }
}
