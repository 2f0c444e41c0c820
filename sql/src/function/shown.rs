//! Quantities for people, formats by country, and weights: FORMAT, FORMAT_BYTES, FORMAT_PICO_TIME, GET_FORMAT, WEIGHT_STRING.

use super::numeric::round_double;
use super::string::shape::{ascii, binary, octets_of, width};
use super::{Function, function};
use crate::error::Result;
use crate::expr::ty::Class;
use crate::expr::{Eval, Ty, Typed};
use values::collation::uca;
use values::convert::number::{to_decimal, to_double};
use values::{Collation, Decimal, Level, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    function("format", 2, 3, |args, infer| Ok(ascii(width(&args[0]) * 4 / 3 + 32, infer)), format),
    function(
        "format_bytes",
        1,
        1,
        |_, infer| Ok(ascii(11, infer)),
        |args, _, e| {
            quantity(
                args,
                &[("bytes", 1.0), ("KiB", 1024.0)],
                &["MiB", "GiB", "TiB", "PiB", "EiB"],
                1024.0,
                4,
                e,
            )
        },
    ),
    function(
        "format_pico_time",
        1,
        1,
        |_, infer| Ok(ascii(11, infer)),
        |args, _, e| {
            const UNITS: &[(&str, f64)] = &[
                ("ps", 1.0),
                ("ns", 1e3),
                ("us", 1e6),
                ("ms", 1e9),
                ("s", 1e12),
                ("min", 6e13),
                ("h", 3.6e15),
                ("d", 8.64e16),
            ];
            quantity(args, UNITS, &[], 1.0, 3, e)
        },
    ),
    function("get_format", 2, 2, |_, infer| Ok(ascii(17, infer)), get_format),
    function("weight_string", 1, 3, weight_type, weight_string),
];

/// Thousands separator, decimal point, and whether groups above the first three digits have two (India).
type Style = (&'static str, char, bool);

/// Locales whose numbers are not written as in en_US.
const STYLES: &[(Style, &str)] = &[
    (("", '.', false), "ar_SA sr_RS"),
    (
        (".", ',', false),
        "be_BY da_DK de_BE de_DE de_LU es_AR es_BO es_CL es_CO es_EC es_ES es_PY es_UY es_VE fo_FO hu_HU id_ID is_IS lt_LT mn_MN nb_NO no_NO ro_RO ru_UA sq_AL tr_TR uk_UA vi_VN",
    ),
    (("\0", ',', false), "bg_BG"),
    (
        ("", ',', false),
        "ca_ES de_AT el_GR eu_ES fr_BE fr_CA fr_CH fr_FR fr_LU gl_ES hr_HR it_IT nl_BE nl_NL pl_PL pt_BR pt_PT sl_SI",
    ),
    ((" ", ',', false), "cs_CZ es_CR et_EE fi_FI lv_LV mk_MK ru_RU sk_SK sv_FI sv_SE"),
    (("'", '.', false), "de_CH"),
    ((",", '.', true), "en_IN ta_IN te_IN"),
    (("'", ',', false), "it_CH rm_CH"),
];

/// Locales whose numbers are written as in en_US.
const PLAIN: &str = "ar_AE ar_BH ar_DZ ar_EG ar_IN ar_IQ ar_JO ar_KW ar_LB ar_LY ar_MA ar_OM ar_QA ar_SD ar_SY ar_TN ar_YE en_AU en_CA en_GB en_NZ en_PH en_US en_ZA en_ZW es_DO es_GT es_HN es_MX es_NI es_PA es_PE es_PR es_SV es_US gu_IN he_IL hi_IN ja_JP ko_KR ms_MY th_TH ur_PK zh_CN zh_HK zh_TW";

fn style_of(locale: &str) -> Option<Style> {
    let among = |list: &str| list.split(' ').any(|name| name.eq_ignore_ascii_case(locale));
    if among(PLAIN) {
        return Some((",", '.', false));
    }
    STYLES.iter().find(|(_, list)| among(list)).map(|(style, _)| *style)
}

/// FORMAT: rounded to 0 to 30 decimals, with separators between thousands, in the manner of a locale.
fn format(args: &[Typed], ty: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let value = args[0].compared(values::compare::Rule::Double, e)?;
    let Some(places) = args[1].integer(e)? else { return Ok(Value::Null) };
    let places = places.clamp(0, 30) as u8;
    let exact = matches!(args[0].ty.number_class(), Class::Int | Class::Decimal);
    let text = if exact {
        let Some(number) = e.with(|cx, w| to_decimal(&value, cx, w))? else { return Ok(Value::Null) };
        let rounded = number.round(i32::from(places));
        rounded.rescaled(places).unwrap_or(rounded).to_string()
    } else {
        let Some(number) = e.with(|cx, w| to_double(&value, cx, w))? else { return Ok(Value::Null) };
        let number = round_double(number, i64::from(places), false);
        let (decimal, overflow) = Decimal::from_f64(number);
        match decimal.rescaled(places) {
            Some(d) if !overflow => d.to_string(),
            _ => values::double::fixed_text(number, places),
        }
    };
    let mut style = (",", '.', false);
    if let Some(arg) = args.get(2) {
        let locale = arg.text(e)?.unwrap_or_else(|| values::Text::new("NULL"));
        match style_of(locale.as_str()) {
            Some(found) => style = found,
            None => e.context.warn(Level::Warning, 1649, format!("Unknown locale: '{}'", locale.as_str())),
        }
    }
    Ok(super::string::string(ty, grouped(&text, style).as_bytes()))
}

fn grouped(text: &str, (separator, point, indian): Style) -> String {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |d| ("-", d));
    let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(w, f)| (w, Some(f)));
    let zero = digits.bytes().all(|b| matches!(b, b'0' | b'.'));
    let mut out = String::from(if zero { "" } else { sign });
    for (i, c) in whole.chars().enumerate() {
        let left = whole.len() - i;
        let border = if indian && left > 3 { (left - 3) % 2 == 0 } else { left % 3 == 0 };
        if i > 0 && border {
            out.push_str(separator);
        }
        out.push(c);
    }
    if let Some(fraction) = fraction {
        out.push(point);
        out.push_str(fraction);
    }
    out
}

/// A number in the largest unit it reaches; `more` units follow, each `factor` times the one before. Whole units are padded to `digits`.
fn quantity(
    args: &[Typed],
    units: &[(&str, f64)],
    more: &[&str],
    factor: f64,
    digits: usize,
    e: &mut Eval<'_>,
) -> Result<Value> {
    let value = args[0].eval(e)?;
    let Some(number) = e.with(|cx, w| to_double(&value, cx, w))? else { return Ok(Value::Null) };
    let last = units.last().map_or(1.0, |u| u.1);
    let further = more.iter().scan(last, |size, name| {
        *size *= factor;
        Some((*name, *size))
    });
    let reached = units.iter().copied().chain(further).take_while(|(_, size)| number.abs() >= *size).last();
    let (name, size) = reached.unwrap_or(units[0]);
    let scaled = number / size;
    let text = if size == 1.0 {
        format!("{:>digits$} {name}", scaled.trunc())
    } else if scaled.abs() >= 1e5 {
        let text = format!("{scaled:.2e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        format!("{mantissa}e+{exponent:0>2} {name}")
    } else {
        format!("{scaled:.2} {name}")
    };
    Ok(Value::text(&text))
}

/// GET_FORMAT(DATE, 'USA'): the format string of DATE_FORMAT; NULL for a country it does not know.
fn get_format(args: &[Typed], ty: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let (Some(kind), Some(country)) = (args[0].text(e)?, args[1].text(e)?) else { return Ok(Value::Null) };
    let country = country.as_str().to_ascii_uppercase();
    let found = match (kind.as_str(), country.as_str()) {
        ("DATE", "USA") => "%m.%d.%Y",
        ("DATE", "JIS" | "ISO") => "%Y-%m-%d",
        ("DATE", "EUR") => "%d.%m.%Y",
        ("DATE", "INTERNAL") => "%Y%m%d",
        ("TIME", "USA") => "%h:%i:%s %p",
        ("TIME", "JIS" | "ISO") => "%H:%i:%s",
        ("TIME", "EUR") => "%H.%i.%s",
        ("TIME", "INTERNAL") => "%H%i%s",
        (_, "USA" | "EUR") => "%Y-%m-%d %H.%i.%s",
        (_, "JIS" | "ISO") => "%Y-%m-%d %H:%i:%s",
        (_, "INTERNAL") => "%Y%m%d%H%i%s",
        _ => return Ok(Value::Null),
    };
    Ok(super::string::string(ty, found.as_bytes()))
}

fn weight_type(args: &mut [Typed], _: &super::Infer<'_>) -> Result<Ty> {
    let chars = octets_of(&args[0]).max(width(&args[0]));
    Ok(binary(chars.saturating_mul(4)))
}

/// WEIGHT_STRING(text [AS CHAR(n) | AS BINARY(n)]): the length and whether it is binary are the second and third argument.
fn weight_string(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let value = args[0].eval(e)?;
    let Some(bytes) = args[0].bytes(e)? else { return Ok(Value::Null) };
    let mut text = bytes.as_bytes().to_vec();
    let as_binary = args.get(2).is_some_and(|flag| flag.holds(e).unwrap_or(false));
    let collation = if as_binary { Collation::BINARY } else { args[0].ty.collation() };
    let length = args.get(1).map(|n| n.integer(e)).transpose()?.flatten();
    match length.and_then(|n| usize::try_from(n).ok()) {
        Some(n) if collation == Collation::BINARY => text.resize(n, 0),
        Some(n) => {
            let s = String::from_utf8_lossy(&text).into_owned();
            let end = s.char_indices().nth(n).map_or(s.len(), |(at, _)| at);
            text = s.as_bytes()[..end].to_vec();
        }
        None => {}
    }
    if value.as_bytes().is_none() {
        // A number's weight is its key; a temporal's its cell.
        let mut key = Vec::new();
        values::encode_key(&value, &values::KeyPart::ascending(args[0].ty.col), &mut key);
        return Ok(Value::bytes(&key));
    }
    let mut out = Vec::with_capacity(text.len() * 2);
    match collation {
        Collation::BINARY => out = text,
        Collation::UTF8MB4_0900_AI_CI => uca::weights(&text, |w| out.extend_from_slice(&w.to_be_bytes())),
        _ if collation.legacy().is_some() => {
            let legacy = collation.legacy().into_iter();
            legacy.flat_map(|l| l.weights(&text)).for_each(|w| out.extend_from_slice(&w.to_be_bytes()));
        }
        _ => {
            for c in String::from_utf8_lossy(&text).chars() {
                out.extend_from_slice(&u32::from(c).to_be_bytes()[1..]);
            }
        }
    }
    Ok(Value::bytes(&out))
}
