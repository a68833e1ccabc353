import { contractionSizes, elementwiseRow, isFold, rowOf, splitShape } from "../graph/ops";
import type { Scan } from "../graph/scan-node";
import { literalOf, type Tensor, topological } from "../graph/tensor";
import { type Access, asMatrices, canonical, elementAt, isAligned, sameAccess, stepOf } from "../graph/view";
import { sizeOf } from "../util/shape";
import { findDeferred } from "./deferred";
import {
  type Expression,
  Expressions,
  inOrder,
  isInlinable,
  loadsOf,
  type Obstacle,
  tableOf,
  walk,
} from "./expression";
import {
  type CombineGroup,
  combinedBy,
  type Fusion,
  type FusionLimits,
  type Group,
  MAX_MEMBERS,
  type MatrixOperand,
  operandLoads,
  type PartialReduction,
  resultOf,
  rootOf,
  scatteredBy,
  splitOf,
  type Update,
} from "./group";
import { schedule } from "./schedule";

/** What every kernel begins with. */
type Begun = Pick<Group, "members" | "partials" | "index">;

/** From this cost on, an expression that two kernels want is computed once and kept. */
const SHARED_COST = 6;
/** Up to as many operations are done again by another kernel rather than stored for it. */
const CHEAP_OPS = 3;
/** Reductions to one number up to this length take one workgroup; longer ones take two passes. */
const ONE_PASS = 4096;

/**
 * Decides which nodes one kernel computes: elementwise nodes join the kernel that computed their latest operand, where
 * they need only what is at hand at the same point; else they are computed where they are used.
 */
export function fuse(outputs: readonly Tensor[], updates: readonly Update[], limits: FusionLimits): Fusion {
  return new Fuser(outputs, updates, limits).run();
}

class Fuser {
  private readonly nodes: readonly Tensor[];
  private readonly users = new Map<Tensor, Tensor[]>();
  private readonly groups: Group[] = [];
  private readonly home = new Map<Tensor, Group>();
  private readonly stored = new Set<Tensor>();
  private readonly inline = new Set<Tensor>();
  private readonly latest = new Map<Tensor, number>();
  private readonly cost = new Map<Tensor, number>();
  private readonly loads = new Map<Group, Set<Tensor>>();
  private readonly combineOf = new Map<Group, CombineGroup>();
  private readonly deferredNodes: ReadonlySet<Tensor>;
  private readonly maxMembers: number;
  private deferred: CombineGroup | null = null;
  private settled = false;
  private readonly kernels = new Map<Group, Expressions>();

  constructor(
    private readonly outputs: readonly Tensor[],
    private readonly updates: readonly Update[],
    private readonly limits: FusionLimits,
  ) {
    this.nodes = topological([...outputs, ...updates.map(({ node }) => node)]);
    for (const node of this.nodes) {
      for (const operand of new Set(node.operands)) this.users.set(operand, [...(this.users.get(operand) ?? []), node]);
    }
    this.maxMembers = limits.maxMembers ?? MAX_MEMBERS;
    const deferred = findDeferred(this.nodes, this.users, outputs, updates);
    // What is too much for one kernel is computed in the step: nodes, or partial results, of which each has a buffer.
    const begun = [...deferred].filter(({ op }) => rowOf(op).kind === "reduction").length;
    this.deferredNodes = deferred.size <= this.maxMembers && begun < limits.maxBuffers ? deferred : new Set();
  }

  run(): Fusion {
    for (const node of this.nodes) this.place(node);
    for (const { node } of this.updates) this.materialise(node);
    for (const node of this.outputs) if (!this.deferredNodes.has(node)) this.materialise(node);
    this.settleStores();
    for (const group of [...this.groups, ...(this.deferred ? [this.deferred] : [])]) {
      const read = (node: Tensor) => {
        const [operand] = node.operands;
        const writer = this.writer(group);
        return isInlinable(node) || operand === undefined ? writer.define(node) : writer.value(operand);
      };
      group.members.splice(0, group.members.length, ...inOrder(group.members, read));
    }
    const must = (value: Expression | Obstacle, node: Tensor): Expression => {
      if (value.kind === "obstacle") throw new Error(`internal: no expression for ${node.op} #${node.id}`);
      return value;
    };
    return {
      groups: this.groups,
      deferred: this.deferred,
      home: this.home,
      stored: this.stored,
      definition: (group, node) => must(this.writer(group).define(node), node),
      expression: (group, node) => must(this.writer(group).value(node), node),
    };
  }

  private place(node: Tensor): void {
    const { kind } = rowOf(node.op);
    const latest = Math.max(-1, ...node.operands.map((operand) => this.latest.get(operand) ?? -1));
    this.latest.set(node, latest);
    switch (kind) {
      case "leaf":
        return;
      case "contraction":
        this.placeContraction(node);
        return;
      case "reduction":
        this.placeReduction(node);
        return;
      case "scatter":
        this.placeScatter(node);
        return;
      case "view":
      case "elementwise":
      case "gather": {
        if (this.deferredNodes.has(node)) {
          this.adopt(this.deferredGroup(), node);
          return;
        }
        if (kind === "gather") this.materialise(tableOf(node.operands[0] as Tensor));
        if (kind !== "view" && latest >= 0 && this.tryJoin(this.groups[latest] as Group, node)) return;
        const cost =
          (kind === "view" ? 0 : 1) +
          node.operands.reduce((sum, operand) => sum + (this.home.has(operand) ? 0 : (this.cost.get(operand) ?? 0)), 0);
        this.cost.set(node, cost);
        const shared = cost >= SHARED_COST && (this.users.get(node)?.length ?? 0) > 1 && kind !== "view";
        // What takes too many operations gets a kernel of its own.
        if (cost > this.maxMembers / 2 || shared) this.materialise(node);
        return;
      }
      case "scan":
        this.placeScan(node as Scan);
        return;
      case "item": {
        const group = this.home.get(node.operands[0] as Tensor) as Group;
        if (group.kind !== "scan") throw new Error("internal: an item of no scan");
        group.scan.items.push(node);
        this.home.set(node, group);
        this.stored.add(node);
        return;
      }
      case "composite":
        throw new Error(`internal: ${node.op} was not composed`);
      default:
        kind satisfies never;
    }
  }

  private placeContraction(node: Tensor): void {
    const [a, b] = node.operands as readonly [Tensor, Tensor];
    const { batch, M, N, K } = contractionSizes(a.shape, b.shape, node.attributes);
    const left = this.operand(a, batch, M, K);
    const right = this.operand(b, batch, K, N);
    const group = this.open(
      (begun) => ({ ...begun, kind: "contraction", size: batch * M * N, root: node, a: left, b: right }) as const,
    );
    this.loads.set(group, new Set([...operandLoads(left), ...operandLoads(right)]));
    this.adopt(group, node);
  }

  /** A kernel of its own, whose step is cut into kernels in its turn. */
  private placeScan(scan: Scan): void {
    const { body, operands } = scan;
    // The same elements in the same order need no copy.
    const plain = (node: Tensor): Tensor => {
      const step = this.home.has(node) ? null : stepOf(node);
      return step?.view === "reshape" ? plain(step.source) : node;
    };
    const read = operands.map((operand, i) =>
      i < body.carries.length && isZeros(operand) ? null : this.materialise(plain(operand)),
    );
    const asked = new Set((this.users.get(scan) ?? []).map(({ attributes }) => attributes.index));
    const results = [
      ...body.nextCarries.map(resultOf),
      ...body.ys.map((y, i) => (asked.has(body.carries.length + i) ? resultOf(y) : null)),
    ];
    const nodes = [...new Set(results)].filter((node) => node !== null);
    const fusion = fuse(
      [],
      nodes.map((node) => ({ parameter: node, node })),
      { ...this.limits, maxBuffers: Number.POSITIVE_INFINITY },
    );
    const { order } = schedule(fusion, new Map());
    const group = this.open(
      (begun) =>
        ({
          ...begun,
          kind: "scan",
          size: 0,
          scan: { node: scan, operands: read, items: [], results, fusion, order },
        }) as const,
    );
    this.loads.set(group, new Set(read.filter((operand) => operand !== null)));
    this.home.set(scan, group);
    this.latest.set(scan, group.index);
  }

  /** An operand of a contraction, read through its views of what lies in memory; what is no view of memory is computed first. */
  private operand(node: Tensor, batch: number, rows: number, columns: number): MatrixOperand {
    let base = node;
    for (let step = stepOf(base); step !== null && !this.home.has(base); step = stepOf(base)) base = step.source;
    const whole = () =>
      ({ kind: "plain", tensor: this.materialise(node), transposed: false, repeated: false }) as const;
    // What loops count of a view is bytes, of 32 bits.
    if (literalOf(base) !== null || sizeOf(node.shape) > 2 ** 30) return whole();
    const expression = new Expressions({
      where: (each) => (each === base ? "memory" : this.where(null, each)),
      reaches: () => false,
    }).value(node);
    if (expression.kind === "obstacle") return whole();
    this.materialise(base);
    const access = expression.kind === "load" ? expression.access : null;
    const matrices = access && asMatrices(access, batch, rows, columns);
    if (matrices) return { kind: "plain", tensor: base, ...matrices };
    return { kind: "view", expression, transposed: isTransposed(expression, rows, columns) };
  }

  private placeScatter(node: Tensor): void {
    const [x, by, values] = node.operands as readonly [Tensor, Tensor, Tensor];
    const { from = 0, to = 0 } = node.attributes;
    const { outer, length: rows, inner } = splitShape(node.shape, from, to);
    const count = by.shape[1] as number;
    const indices = by.broadcastTo([outer, count, inner]);
    // Every thread reads them all: what is more than a load is computed once, before.
    if (this.expressionOf(indices).kind !== "load") this.materialise(by);
    // What reads a parameter that is to be changed, too: then its rows may be added to where they lie.
    const added = this.expressionOf(values);
    const reads = added.kind === "obstacle" ? new Set() : loadsOf([added]);
    if (this.updates.some(({ parameter }) => reads.has(parameter))) this.materialise(values);
    const scatter = { outer, rows, inner, count, x, indices, values };
    const size = sizeOf(node.shape);
    this.adopt(
      this.openFor([x, indices, values], (begun) => ({ ...begun, kind: "scatter", size, root: node, scatter })),
      node,
    );
    this.stored.add(node);
  }

  private placeReduction(node: Tensor): void {
    const operand = node.operands[0] as Tensor;
    const { from = 0, to = 0 } = node.attributes;
    const split = splitShape(operand.shape, from, to);
    const latest = this.latest.get(operand) ?? -1;
    const source = latest >= 0 ? (this.groups[latest] as Group) : null;
    if (sizeOf(node.shape) === 1 && isFold(node.op)) {
      const partial: PartialReduction = { node, op: node.op, value: operand };
      const deferred = this.deferredNodes.has(node);
      let begin = source !== null && this.tryPartial(source, operand) ? source : null;
      if (begin === null && (deferred || split.length > ONE_PASS)) {
        begin = this.openFor([operand], (begun) => ({ ...begun, kind: "map", size: sizeOf(operand.shape) }));
      }
      if (begin !== null) {
        begin.partials.push(partial);
        const end = deferred ? this.deferredGroup() : this.combineGroup(begin);
        end.combines.push(partial);
        this.home.set(node, end);
        this.latest.set(node, end.index);
        return;
      }
    }
    const same = (group: Group) =>
      group.kind === "reduction" &&
      group.split.outer === split.outer &&
      group.split.length === split.length &&
      group.split.inner === split.inner;
    for (let i = this.groups.length - 1; i >= Math.max(latest, 0); i--) {
      const group = this.groups[i] as Group;
      const fits = same(group) && group.members.length < this.maxMembers;
      if (fits && this.tryExpression(group, this.attempt(group, "element").value(operand), node)) {
        this.adopt(group, node);
        return;
      }
    }
    this.adopt(
      this.openFor([operand], (begun) => ({ ...begun, kind: "reduction", size: sizeOf(operand.shape), split })),
      node,
    );
  }

  private open<G extends Group>(make: (begun: Begun) => G): G {
    const made = make({ members: [], partials: [], index: this.groups.length });
    this.groups.push(made);
    this.loads.set(made, new Set());
    return made;
  }

  /** A new kernel that can compute `values` at each point of its domain; what stands in the way is copied to memory first. */
  private openFor(values: readonly Tensor[], make: (begun: Begun) => Group): Group {
    for (;;) {
      const found = values.map((value) => this.expressionOf(value));
      const expressions = found.filter((each) => each.kind !== "obstacle");
      const loads = loadsOf(expressions);
      if (expressions.length === found.length && loads.size <= this.limits.maxBuffers) {
        const group = this.open(make);
        this.loads.set(group, loads);
        return group;
      }
      const obstacle = found.find((each) => each.kind === "obstacle");
      const copy = obstacle ? obstacle.copy : this.largestOperand(values);
      if (copy === null) throw new Error(`internal: ${values[0]?.op} #${values[0]?.id} cannot be computed`);
      this.materialise(copy);
    }
  }

  /** The value of a node for a kernel that is yet to be. */
  private expressionOf(node: Tensor): Expression | Obstacle {
    return new Expressions({ where: (each) => this.where(null, each), reaches: () => false }).value(node);
  }

  /** Of expressions that read too many buffers, the inlined part that reads most: kept in memory, it becomes one. */
  private largestOperand(values: readonly Tensor[]): Tensor {
    const reads = (node: Tensor) => {
      const expression = this.expressionOf(node);
      return expression.kind === "obstacle" ? 0 : loadsOf([expression]).size;
    };
    let parts = values.length === 1 ? (values[0] as Tensor).operands : values;
    for (;;) {
      const inlined = parts.filter((part) => this.where(null, part) === "inline");
      const most = inlined.reduce<Tensor | null>(
        (best, part) => (best === null || reads(part) > reads(best) ? part : best),
        null,
      );
      if (most === null) {
        const [{ op, id }] = values as readonly [Tensor];
        throw new Error(`internal: ${op} #${id} reads more buffers than a kernel may bind`);
      }
      if (reads(most) <= this.limits.maxBuffers && reads(most) > 1) return most;
      parts = most.operands;
    }
  }

  private deferredGroup(): CombineGroup {
    this.deferred ??= { kind: "combine", size: 1, combines: [], members: [], partials: [], index: -1 };
    return this.deferred;
  }

  private combineGroup(begin: Group): CombineGroup {
    const known = this.combineOf.get(begin);
    if (known !== undefined) return known;
    const made = this.open((begun) => ({ ...begun, kind: "combine", size: 1, combines: [] }) as const);
    this.combineOf.set(begin, made);
    return made;
  }

  private adopt(group: Group, node: Tensor): void {
    if (node !== rootOf(group)) group.members.push(node);
    this.home.set(node, group);
    this.latest.set(node, group.index);
    this.cost.set(node, 0);
  }

  /** Whether a value of `group` is at hand at a point: at every point of the same flat index, or, of a row, anywhere in the row. */
  private reaches(group: Group, node: Tensor, access: Access, level: "element" | "row"): boolean {
    const size = sizeOf(access.shape);
    const split = splitOf(group);
    if (split === null) return size === group.size && isAligned(access);
    const rows = split.outer * split.inner;
    if (sizeOf(node.shape) === rows) {
      if (level === "row") return size === rows && isAligned(access);
      const inRow = canonical([split.outer, split.length, split.inner], [split.inner, 0, 1]);
      return size === group.size && sameAccess(access, inRow);
    }
    return level === "element" && size === group.size && isAligned(access);
  }

  private levelOf(group: Group, node: Tensor): "element" | "row" | null {
    const size = sizeOf(node.shape);
    if (size === group.size) return "element";
    const split = splitOf(group);
    return split !== null && size === split.outer * split.inner ? "row" : null;
  }

  /**
   * Where a node is for a kernel: while groups are still being formed, what has a kernel counts as being in memory for the
   * later ones. A copy made later than the kernel (of a view, for an output) is none of its concern.
   */
  private where(group: Group | null, node: Tensor): "memory" | "own" | "inline" {
    const home = this.home.get(node);
    if (home === undefined) return isInlinable(node) ? "inline" : "memory";
    if (home === group) return "own";
    const later = group !== null && group !== this.deferred && home.index > group.index;
    return later || (this.settled && this.inline.has(node)) ? "inline" : "memory";
  }

  private attempt(group: Group, level: "element" | "row"): Expressions {
    return new Expressions({
      where: (node) => this.where(group, node),
      reaches: (node, access) => this.reaches(group, node, access, level),
    });
  }

  private tryExpression(group: Group, expression: Expression | Obstacle, node: Tensor | null): boolean {
    if (expression.kind === "obstacle") return false;
    const reads = loadsOf([expression]);
    for (const node of reads) {
      const home = this.home.get(node);
      if (home !== undefined && home.index >= group.index) return false;
    }
    const joint = new Set([...(this.loads.get(group) ?? []), ...reads]);
    const members = node === null ? group.members : [...group.members, node];
    // Of sums that nothing here goes on from it is not known yet whether other kernels want them: they may.
    const apart = (member: Tensor) => !isInlinable(member) && !this.consumes(group, member);
    const sums = node !== null && !isInlinable(node) && group.kind === "reduction" ? members.filter(apart).length : 0;
    const writes = Math.max(this.writes(members, joint), sums);
    if (joint.size + writes + group.partials.length > this.limits.maxBuffers) return false;
    this.loads.set(group, joint);
    return true;
  }

  /** Buffers that results among `members` take beside those that are read: an update mostly overwrites what is read. */
  private writes(members: readonly Tensor[], read: ReadonlySet<Tensor>): number {
    return members.filter(
      (member) =>
        this.outputs.includes(member) ||
        this.updates.some(({ node, parameter }) => node === member && !read.has(parameter)),
    ).length;
  }

  private tryValue(group: Group, node: Tensor, level: "element" | "row"): boolean {
    return this.tryExpression(group, this.attempt(group, level).value(node), null);
  }

  private tryJoin(group: Group, node: Tensor): boolean {
    const level = this.levelOf(group, node);
    if (level === null || group.members.length >= this.maxMembers) return false;
    if (!this.tryExpression(group, this.attempt(group, level).define(node), node)) return false;
    this.adopt(group, node);
    return true;
  }

  private tryPartial(group: Group, value: Tensor): boolean {
    const level = this.levelOf(group, value);
    return level !== null && group.kind !== "combine" && this.tryValue(group, value, level);
  }

  /** Sees to it that a node is in memory after some kernel, and gives it back. */
  private materialise(node: Tensor): Tensor {
    if (this.home.has(node)) {
      this.stored.add(node);
      return node;
    }
    if (!isInlinable(node) && literalOf(node) === null) return node;
    const latest = this.latest.get(node) ?? -1;
    // Independent chains of one size share a kernel.
    for (let i = this.groups.length - 1; i > Math.max(latest, this.groups.length - 9); i--) {
      const group = this.groups[i] as Group;
      const fits = group.kind === "map" && group.size === sizeOf(node.shape) && !this.consumes(group, node);
      if (fits && this.tryJoin(group, node)) {
        this.stored.add(node);
        return node;
      }
    }
    const group = this.openFor([node], (begun) => ({ ...begun, kind: "map", size: sizeOf(node.shape) }));
    this.adopt(group, node);
    this.stored.add(node);
    return node;
  }

  /** Whether a kernel already computes `node` in place, on the way to something else. */
  private consumes(group: Group, node: Tensor): boolean {
    const stack = [...group.members.flatMap(({ operands }) => operands), ...group.partials.map(({ value }) => value)];
    const seen = new Set<Tensor>();
    for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
      if (next === node) return true;
      if (next.id < node.id || seen.has(next) || this.where(group, next) !== "inline") continue;
      seen.add(next);
      stack.push(...next.operands);
    }
    return false;
  }

  /** What other kernels need of a kernel's values is stored, unless they can compute it from what is stored anyway. */
  private settleStores(): void {
    const consumers = new Map<Tensor, Set<Group>>();
    const consume = (node: Tensor, group: Group) => {
      const set = consumers.get(node) ?? new Set();
      consumers.set(node, set.add(group));
    };
    for (const group of [...this.groups, ...(this.deferred ? [this.deferred] : [])])
      for (const { value } of group.partials) consume(value, group);
    for (let i = this.nodes.length - 1; i >= 0; i--) {
      const node = this.nodes[i] as Tensor;
      const home = this.home.get(node);
      const through = home !== undefined ? [home] : [...(consumers.get(node) ?? [])];
      const partial = home !== undefined && combinedBy(home).some((each) => each.node === node);
      if (!partial) for (const operand of node.operands) for (const group of through) consume(operand, group);
    }
    for (const node of this.nodes) {
      const home = this.home.get(node);
      if (home === undefined || this.stored.has(node) || home === this.deferred) continue;
      const outside = [...(consumers.get(node) ?? [])].some((group) => group !== home);
      if (!outside) continue;
      const cheap = this.cheapParts(node);
      if (cheap === null) this.stored.add(node);
      else for (const part of cheap) this.inline.add(part);
    }
    this.settled = true;
    // Where an inlined value turns out not to be reachable through views, it is stored after all.
    for (let again = true; again; ) {
      again = false;
      this.kernels.clear();
      for (const group of [...this.groups, ...(this.deferred ? [this.deferred] : [])]) {
        const values = [
          ...group.members.filter((node) => isInlinable(node)).map((node) => this.writer(group).define(node)),
          ...group.members
            .filter((node) => !isInlinable(node) && node.operands[0])
            .map((node) => this.writer(group).value(node.operands[0] as Tensor)),
          ...scatteredBy(group).map((node) => this.writer(group).value(node)),
          ...group.partials.map(({ value }) => this.writer(group).value(value)),
        ];
        if (!values.some(({ kind }) => kind === "obstacle")) continue;
        if (this.inline.size === 0) throw new Error("internal: a kernel's value is not at hand");
        for (const node of this.inline) this.stored.add(node);
        this.inline.clear();
        again = true;
      }
    }
  }

  /**
   * The nodes that would be computed again to have `node` from what is in memory anyway, where they are a few plain
   * operations and so cheaper than keeping it; else null.
   */
  private cheapParts(node: Tensor): Tensor[] | null {
    const parts = [node];
    const leaves = new Set<Tensor>();
    for (let at = 0; at < parts.length; at++) {
      const part = parts[at] as Tensor;
      const row = elementwiseRow(part.op);
      if (row === null || row.expensive || at >= CHEAP_OPS) return null;
      for (const operand of part.operands) {
        const home = this.home.get(operand);
        if (literalOf(operand) !== null) continue;
        if (home === undefined ? !isInlinable(operand) : this.stored.has(operand)) leaves.add(operand);
        else if (home === undefined) return null;
        else if (!parts.includes(operand)) parts.push(operand);
      }
    }
    return leaves.size <= 2 ? parts : null;
  }

  private writer(group: Group): Expressions {
    if (!this.settled) throw new Error("internal: stores are not settled");
    const known = this.kernels.get(group);
    if (known !== undefined) return known;
    // The level was checked when a node joined; here a value of the row is reached by either way.
    const made = new Expressions({
      where: (node) => this.where(group, node),
      reaches: (node, access) =>
        this.reaches(group, node, access, "element") || this.reaches(group, node, access, "row"),
    });
    this.kernels.set(group, made);
    return made;
  }
}

/** Whether an operand's neighbouring rows lie nearer to one another in memory than its neighbouring columns. */
function isTransposed(expression: Expression, rows: number, columns: number): boolean {
  let [down, across] = [0, 0];
  walk([expression], (part) => {
    if (part.kind !== "load") return;
    const access = { ...part.access, last: null };
    const step = (by: number) => Math.abs(elementAt(access, by) - elementAt(access, 0));
    [down, across] = [rows > 1 ? step(columns) : 0, columns > 1 ? step(1) : 0];
  });
  return down !== 0 && (across === 0 || down < across);
}

/** Zeros, however often they are repeated. */
function isZeros(node: Tensor): boolean {
  const step = stepOf(node);
  return step?.view === "broadcast" || step?.view === "reshape" ? isZeros(step.source) : Object.is(literalOf(node), 0);
}
