//! MySQL's SQL: parse, bind, plan, execute.
