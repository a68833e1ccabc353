import { isFold, type ReductionOp } from "../graph/ops";
import type { Tensor } from "../graph/tensor";
import type { Access } from "../graph/view";
import { type Expression, isInlinable, walk } from "../plan/expression";
import type { Group, ReductionGroup } from "../plan/group";
import { expressionsOf } from "../plan/schedule";
import { sizeOf } from "../util/shape";
import {
  Axes,
  alongRows,
  type Coordinate,
  overScalars,
  overVectors,
  type Site,
  scalarsDealt,
  unrolled,
  vectorsDealt,
} from "./domain";
import { pointsNs } from "./grain";
import { FLAT, type Kernel } from "./kernel";
import { V_STORE32_LANE } from "./opcodes";
import { parkedIn } from "./parked";
import type { Scope, Value } from "./scope";
import { neutral, type Total, total } from "./totals";
import type { Frame, Values } from "./values";

/** Rows up to this length are written out, each element's value computed once. */
const MAX_UNROLLED = 16;
/** From this length on, rows that lie in one piece are read four elements at a time; else four rows are. */
const MIN_ALONG = 16;
/** Vectors of neighbouring columns that are reduced together, so that memory is read by whole lines. */
const COLUMNS = 4;

/** A kernel's reductions by when they can be made: each pass over a row is for those that need the passes before. */
interface Passes {
  readonly count: number;
  readyAt(node: Tensor): number;
  passOf(expression: Expression): number;
  definition(node: Tensor): Expression;
}

/** One to four rows under way, one a lane, or one in all lanes. */
interface Row {
  readonly site: Site;
  readonly own: Map<Tensor, Value>;
  readonly values: Values;
  /** Elements' values that are kept, where rows are written out. */
  readonly elements: Map<number, Values>;
}

export function emitRows(kernel: Kernel, { split }: ReductionGroup): void {
  const { group, places } = kernel;
  const { outer, length, inner } = split;
  const rows = outer * inner;
  const axes = new Axes([outer, length, inner]);
  const { element, row } = kernel.accesses();
  const through = (access: Access) => alongRows(access, outer, length, inner);
  for (const access of [...element, ...row.flatMap((access) => through(access) ?? [])]) axes.admit(access);
  const ofRows: Frame = { axes, through, flat: strided(axes, through(FLAT(rows))) };
  const ofElements: Frame = { axes, through: (access) => access, flat: strided(axes, FLAT(group.size)) };

  const lengths = axes.lengths;
  const isLength = axes.parts.map((part) => part === 1);
  const rowLengths = lengths.filter((_, i) => !isLength[i]);
  const lengthLengths = lengths.filter((_, i) => isLength[i]);
  const withinRow = lengths.map((_, i) =>
    isLength[i]
      ? lengths.slice(i + 1).reduce((steps, length, j) => (isLength[i + 1 + j] ? steps * length : steps), 1)
      : 0,
  );
  const joined = (ofRow: readonly Coordinate[], ofLength: readonly Coordinate[]) => {
    const [a, b] = [[...ofRow], [...ofLength]];
    return isLength.map((is) => (is ? b.shift() : a.shift()) as Coordinate);
  };
  const along = inner === 1 && (length >= MIN_ALONG || rows === 1);
  const passes = passesOf(kernel);
  const writtenOut = !along && length <= MAX_UNROLLED;
  const parked = writtenOut ? new Map<Tensor, Tensor>() : parkedIn(kernel, passes);
  let totals: readonly Total[] = [];

  const visit = (scope: Scope, sites: readonly Site[]) => {
    const started = sites.map((given): Row => {
      const own = new Map<Tensor, Value>();
      const start = lengthLengths.map(() => ({ counter: null, lanes: [0] }));
      const site = { coordinates: joined(given.coordinates, start), valid: given.valid };
      return {
        site: given,
        own,
        values: kernel.values(ofRows, site, (tensor) => own.get(tensor)),
        elements: new Map(),
      };
    });
    for (let pass = 0; pass <= passes.count; pass++) emitPass(scope, started, pass);
  };

  const emitPass = (scope: Scope, under: readonly Row[], pass: number) => {
    const { f } = kernel;
    for (const { site, own, values } of under) {
      for (const node of group.members) {
        if (isReduction(node) || !ofRow(node, rows) || passes.readyAt(node) !== pass) continue;
        own.set(node, values.value(passes.definition(node)));
        kernel.store(scope, values, node, own.get(node) as Value);
      }
      group.partials.forEach((partial, i) => {
        const expression = kernel.fusion.expression(group, partial.value);
        if (!ofRow(partial.value, rows) || passes.passOf(expression) !== pass) return;
        (totals[i] as Total).add(scope, neutral(f, partial.op, values.value(expression), site.valid), null);
      });
    }
    const reductions = group.members.filter((node) => isReduction(node) && passes.readyAt(node) === pass + 1);
    const stored = group.members.filter(
      (node) => !isReduction(node) && !ofRow(node, rows) && passes.readyAt(node) === pass && places.isStored(node),
    );
    const begun = group.partials.flatMap((partial, i) =>
      !ofRow(partial.value, rows) && passes.passOf(kernel.fusion.expression(group, partial.value)) === pass
        ? [{ partial, total: totals[i] as Total }]
        : [],
    );
    if (reductions.length + stored.length + begun.length === 0) return;

    const results = under.map(() =>
      reductions.map(({ op }) => total(scope, op as ReductionOp, along ? length / 4 : length)),
    );
    const atElement = (inside: Scope, values: Values, site: Site, row: number) => {
      reductions.forEach((node, i) => {
        const value = neutral(f, node.op as ReductionOp, values.value(passes.definition(node)), along ? site.valid : 4);
        const index = isFold(node.op) ? null : values.index(withinRow);
        ((results[row] as Total[])[i] as Total).add(inside, value, index);
      });
      const kept = stored.map((node) => [node, values.value(passes.definition(node))] as const);
      for (const { partial, total } of begun) {
        const value = values.value(kernel.fusion.expression(group, partial.value));
        total.add(inside, neutral(f, partial.op, value, site.valid), null);
      }
      for (const [node, place] of parked) {
        if (node !== place && passes.readyAt(node) === pass)
          values.store(inside, places.addressOf(place), values.value(kernel.definition(node)));
      }
      for (const [node, value] of kept) kernel.store(inside, values, node, value);
    };
    const elementValues = (row: Row, site: Site): Values => {
      const ofElement = (tensor: Tensor): Value => {
        const place = parked.get(tensor);
        if (place !== undefined && passes.readyAt(tensor) < pass)
          return values.at(places.addressOf(place), ofElements.flat);
        return values.value(kernel.definition(tensor));
      };
      const values: Values = kernel.values(ofElements, site, (tensor) => row.own.get(tensor) ?? ofElement(tensor));
      return values;
    };
    if (along) {
      const row = under[0] as Row;
      overVectors(scope, lengthLengths, (inside, sites) => {
        for (const { coordinates, valid } of sites) {
          const site = { coordinates: joined(row.site.coordinates, coordinates), valid };
          atElement(inside, elementValues(row, site), site, 0);
        }
      });
    } else if (length * under.length <= MAX_UNROLLED * COLUMNS && writtenOut) {
      unrolled(lengthLengths).forEach((coordinates, at) => {
        under.forEach((row, i) => {
          const site = { coordinates: joined(row.site.coordinates, coordinates), valid: row.site.valid };
          const values = row.elements.get(at) ?? elementValues(row, site);
          row.elements.set(at, values);
          atElement(scope, values, site, i);
        });
      });
    } else {
      overScalars(scope, lengthLengths, (inside, coordinates) => {
        under.forEach((row, i) => {
          const site = { coordinates: joined(row.site.coordinates, coordinates), valid: row.site.valid };
          atElement(inside, elementValues(row, site), site, i);
        });
      });
    }
    under.forEach((row, i) => {
      reductions.forEach((node, r) => {
        const result = (results[i] as Total[])[r] as Total;
        row.own.set(node, along ? result.whole() : result.lanes());
        kernel.store(scope, row.values, node, row.own.get(node) as Value);
      });
    });
  };

  const unroll = length > MAX_UNROLLED ? COLUMNS : 1;
  const deal = along ? scalarsDealt(rowLengths) : vectorsDealt(rowLengths, unroll);
  const ns = pointsNs(expressionsOf(kernel.fusion, group), group.size);
  kernel.pieces.piece(group.partials.length > 0 ? 1 : deal.parts, ns, (part) => {
    const { root } = kernel.f;
    totals = group.partials.map(({ op }): Total => total(root, op, group.size / (along ? 1 : 4)));
    const dealt = part && { ...part, ...deal };
    const visitRow = (scope: Scope, coordinates: readonly Coordinate[]) => visit(scope, [{ coordinates, valid: 1 }]);
    if (along) overScalars(root, rowLengths, visitRow, [], dealt);
    else overVectors(root, rowLengths, visit, unroll, [], dealt);
    group.partials.forEach((partial, i) => {
      const sum = (totals[i] as Total).whole();
      root.i32(0).get(sum.local).memory(V_STORE32_LANE, places.partialAddress(partial), 0);
    });
  });
}

function passesOf(kernel: Kernel): Passes {
  const { fusion, group } = kernel;
  const definition = (node: Tensor): Expression =>
    isReduction(node) ? fusion.expression(group, node.operands[0] as Tensor) : kernel.definition(node);
  const readyAt = new Map<Tensor, number>();
  const passOf = (expression: Expression): number => {
    let pass = 0;
    walk([expression], (part) => {
      if (part.kind === "own") pass = Math.max(pass, readyAt.get(part.tensor) ?? 0);
    });
    return pass;
  };
  for (const node of group.members) readyAt.set(node, passOf(definition(node)) + (isReduction(node) ? 1 : 0));
  const partialPasses = group.partials.map(({ value }) => passOf(fusion.expression(group, value)));
  return {
    count: Math.max(0, ...readyAt.values(), ...partialPasses),
    readyAt: (node) => readyAt.get(node) ?? 0,
    passOf,
    definition,
  };
}

function isReduction(node: Group["members"][number]): boolean {
  return !isInlinable(node);
}

function ofRow(node: Tensor, rows: number): boolean {
  return sizeOf(node.shape) === rows;
}

function strided(axes: Axes, access: Access | null): readonly number[] {
  const strides = access && axes.strides(access);
  if (strides === null) throw new Error("internal: a domain without its own order");
  return strides;
}
