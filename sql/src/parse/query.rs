//! Query expressions: WITH, UNION and its kin, VALUES, TABLE, parentheses, and the tails that belong to the whole.

use super::Parser;
use crate::ast::{
    Body, Cte, Limit, Nested, OrderItem, Query, Select, SelectItem, SetOp, SetOperation, TableExpr, TableRef,
    Values, With,
};
use crate::error::{Result, SqlError, unsupported};
use crate::lex::{Kind, Op};

/// How deep queries may stand in queries.
const MAX_QUERIES: u32 = 24;

/// Set operations of one statement: they lean to the left, and their trees are walked recursively.
const MAX_SET_OPERATIONS: u32 = 128;

/// A part of a set operation.
struct Operand {
    query: Query,
    parenthesised: bool,
}

impl Parser<'_> {
    /// `[WITH ...] body [ORDER BY] [LIMIT] [INTO] [FOR UPDATE]`
    pub(super) fn query(&mut self) -> Result<Query> {
        if self.queries == MAX_QUERIES {
            return Err(SqlError::new(1473, "Too high level of nesting for select"));
        }
        self.queries += 1;
        let query = self.nested(Self::whole_query);
        self.queries -= 1;
        query
    }

    /// A query that stands inside a statement: INTO is misplaced there.
    pub(super) fn inner_query(&mut self) -> Result<Query> {
        let query = self.query()?;
        if query.into.is_empty() && self.into_file.is_none() {
            return Ok(query);
        }
        Err(super::misplaced_into())
    }

    fn whole_query(&mut self) -> Result<Query> {
        let with = if self.is_kw("WITH") { Some(self.with_list()?) } else { None };
        if with.is_some() && (self.is_kw("UPDATE") || self.is_kw("DELETE")) {
            return Err(unsupported("WITH before UPDATE or DELETE"));
        }
        let Operand { mut query, parenthesised } = self.unions()?;
        let order_by = self.order_by()?;
        let limit = self.limit()?;
        let mut into = std::mem::take(&mut query.into);
        into.extend(self.variables_of_into()?);
        let tail = !order_by.is_empty() || limit.is_some();
        if parenthesised && (tail || (with.is_some() && query.with.is_some())) {
            let nested = Nested { query, order_by, limit };
            return Ok(Query { with, body: Body::Nested(Box::new(nested)), into });
        }
        match &mut query.body {
            _ if parenthesised => {}
            Body::Select(select) => {
                (select.order_by, select.limit) = (order_by, limit);
                self.lock_clause(select)?;
            }
            Body::Set(set) => (set.order_by, set.limit) = (order_by, limit),
            Body::Values(values) => (values.order_by, values.limit) = (order_by, limit),
            Body::Nested(nested) => (nested.order_by, nested.limit) = (order_by, limit),
        }
        into.extend(self.variables_of_into()?);
        query.into = into;
        if with.is_some() {
            query.with = with;
        }
        Ok(query)
    }

    /// `INTO @a, @b`
    pub(super) fn variables_of_into(&mut self) -> Result<Vec<String>> {
        if !self.eat_kw("INTO") {
            return Ok(Vec::new());
        }
        if let Some(file) = self.outfile()? {
            if self.into_file.replace(file).is_some() {
                return Err(SqlError::new(3953, "Multiple INTO clauses in one query block."));
            }
            return Ok(Vec::new());
        }
        if self.into_file.is_some() {
            return Err(SqlError::new(3953, "Multiple INTO clauses in one query block."));
        }
        self.list(|p| match p.peek().kind {
            Kind::At => p.user_variable_name(),
            _ => Err(p.unexpected()),
        })
    }

    fn with_list(&mut self) -> Result<With> {
        self.expect_kw("WITH")?;
        let recursive = self.eat_kw("RECURSIVE");
        let ctes = self.list(|p| {
            let name = p.ident()?;
            let columns = if p.is_op(Op::LParen) { p.parens(|p| p.list(Parser::ident))? } else { Vec::new() };
            p.expect_kw("AS")?;
            Ok(Cte { name, columns, query: p.parens(Parser::inner_query)? })
        })?;
        Ok(With { recursive, ctes })
    }

    /// UNION and EXCEPT, left to right; INTERSECT binds tighter.
    fn unions(&mut self) -> Result<Operand> {
        let mut left = self.intersections()?;
        while let Some(word) = self.eat_any(&["UNION", "EXCEPT"]) {
            let op = if word == "UNION" { SetOp::Union } else { SetOp::Except };
            left = self.set_operation(op, left, Self::intersections)?;
        }
        Ok(left)
    }

    fn intersections(&mut self) -> Result<Operand> {
        let mut left = self.operand()?;
        while self.eat_kw("INTERSECT") {
            left = self.set_operation(SetOp::Intersect, left, Self::operand)?;
        }
        Ok(left)
    }

    fn set_operation(
        &mut self,
        op: SetOp,
        left: Operand,
        right: fn(&mut Self) -> Result<Operand>,
    ) -> Result<Operand> {
        self.set_operations += 1;
        if self.set_operations > MAX_SET_OPERATIONS {
            return Err(super::too_deep());
        }
        if !left.query.into.is_empty() || self.into_file.is_some() {
            return Err(super::misplaced_into());
        }
        let all = self.eat_kw("ALL");
        if !all {
            self.eat_kw("DISTINCT");
        }
        let right = right(self)?;
        let set =
            SetOperation { op, all, left: left.query, right: right.query, order_by: Vec::new(), limit: None };
        let query = Query { with: None, body: Body::Set(Box::new(set)), into: Vec::new() };
        Ok(Operand { query, parenthesised: false })
    }

    fn operand(&mut self) -> Result<Operand> {
        if self.is_op(Op::LParen) {
            let query = self.parens(Parser::query)?;
            return Ok(Operand { query, parenthesised: true });
        }
        let query = if self.is_kw("SELECT") {
            let (select, into) = self.select()?;
            Query { into, ..Query::select(select) }
        } else if self.eat_kw("TABLE") {
            let table = TableRef { table: self.table_name()?, alias: None, hints: Vec::new() };
            let items = vec![SelectItem::Star { schema: None, table: None }];
            Query::select(Select { items, from: Some(TableExpr::Table(table)), ..Select::default() })
        } else if self.eat_kw("VALUES") {
            let rows = self.list(|p| {
                p.expect_kw("ROW")?;
                p.parens(|p| p.list(Parser::expr))
            })?;
            let values = Values { rows, order_by: Vec::<OrderItem>::new(), limit: None::<Limit> };
            Query { with: None, body: Body::Values(Box::new(values)), into: Vec::new() }
        } else {
            return Err(self.unexpected());
        };
        Ok(Operand { query, parenthesised: false })
    }

    fn starts_query(&self, n: usize) -> bool {
        self.is_kw_at(n, "SELECT")
            || self.is_kw_at(n, "WITH")
            || (self.is_kw_at(n, "TABLE") && self.peek_at(n + 1).kind != Kind::Op(Op::Dot))
            || (self.is_kw_at(n, "VALUES") && self.is_kw_at(n + 1, "ROW"))
    }

    /// Behind an opening parenthesis: does a query end with the closing one? `((SELECT 1) UNION (SELECT 2))` is one, `((SELECT 1) + 1)` is not.
    pub(super) fn at_query(&self) -> bool {
        let mut open = 0;
        while self.peek_at(open).kind == Kind::Op(Op::LParen) {
            open += 1;
        }
        if !self.starts_query(open) {
            return false;
        }
        let (mut depth, mut at) = (open, open);
        while depth > 0 {
            at += 1;
            match self.peek_at(at).kind {
                Kind::End => return true, // the query's own rule reports what is missing
                Kind::Op(Op::LParen) => depth += 1,
                Kind::Op(Op::RParen) => {
                    depth -= 1;
                    if depth < open {
                        open = depth;
                        let follows = ["UNION", "EXCEPT", "INTERSECT", "ORDER", "LIMIT"];
                        if follows.iter().any(|k| self.is_kw_at(at + 1, k)) {
                            return true;
                        }
                        if self.peek_at(at + 1).kind != Kind::Op(Op::RParen) {
                            return false;
                        }
                    }
                }
                _ => {}
            }
        }
        true
    }
}
