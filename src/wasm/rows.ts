import { isFold } from "../graph/ops";
import type { Tensor } from "../graph/tensor";
import type { Access } from "../graph/view";
import type { ReductionGroup } from "../plan/group";
import type { Accumulator } from "../plan/nest";
import { type Pass, rowsOf } from "../plan/nest-rows";
import { expressionsOf } from "../plan/schedule";
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
import { type Begun, FLAT, type Kernel } from "./kernel";
import type { Scope, Value } from "./scope";
import { neutral, type Total, total } from "./totals";
import type { Frame, Values } from "./values";

/** Rows up to this length are written out, each element's value computed once. */
const MAX_UNROLLED = 16;
/** From this length on, rows that lie in one piece are read four elements at a time; else four rows are. */
const MIN_ALONG = 16;
/** Vectors of neighbouring columns that are reduced together, so that memory is read by whole lines. */
const COLUMNS = 4;

/** One to four rows under way, one a lane, or one in all lanes. */
interface Row {
  readonly site: Site;
  readonly own: Map<Tensor, Value>;
  readonly values: Values;
  /** Elements' values that are kept, where rows are written out. */
  readonly elements: Map<number, Values>;
}

export function emitRows(kernel: Kernel, group: ReductionGroup): void {
  const { places } = kernel;
  const { outer, length, inner } = group.split;
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
  const writtenOut = !along && length <= MAX_UNROLLED;
  // What is written out is computed once.
  const memoryOf = writtenOut ? null : (tensor: Tensor) => places.addressOf(tensor);
  const { passes } = rowsOf(kernel.fusion, group, places, memoryOf);
  let begun: Begun | null = null;
  const term = (scope: Scope, into: Accumulator, value: Value, { valid }: Site) =>
    (begun as Begun).add(scope, into, value, valid);

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
    for (const pass of passes) emitPass(scope, started, pass);
  };

  const emitPass = (scope: Scope, under: readonly Row[], { row, accumulators, element, anew }: Pass) => {
    for (const { site, own, values } of under)
      kernel.emit(scope, row, values, own, (into, value) => term(scope, into, value, site));
    if (element.length === 0) return;

    const results = under.map(
      () => new Map(accumulators.map(({ into }) => [into, total(scope, into.op, along ? into.terms / 4 : into.terms)])),
    );
    const atElement = (inside: Scope, values: Values, site: Site, row: number) => {
      kernel.emit(inside, element, values, new Map(), (into, value) => {
        const result = results[row]?.get(into);
        if (result === undefined) term(inside, into, value, site);
        else
          result.add(
            inside,
            neutral(kernel.f, into.op, value, along ? site.valid : 4),
            isFold(into.op) ? null : values.index(withinRow),
          );
      });
    };
    const elementValues = (row: Row, site: Site): Values => {
      const values: Values = kernel.values(ofElements, site, (tensor) => {
        const value = anew.get(tensor);
        return value === undefined ? row.own.get(tensor) : values.value(value);
      });
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
    under.forEach(({ own, values }, i) => {
      for (const { into, stores } of accumulators) {
        const result = results[i]?.get(into) as Total;
        own.set(into.node, along ? result.whole() : result.lanes());
        kernel.emit(scope, stores, values, own, nothing);
      }
    });
  };

  const unroll = length > MAX_UNROLLED ? COLUMNS : 1;
  const deal = along ? scalarsDealt(rowLengths) : vectorsDealt(rowLengths, unroll);
  const ns = pointsNs(expressionsOf(kernel.fusion, group), group.size);
  kernel.pieces.piece(group.partials.length > 0 ? 1 : deal.parts, ns, (part) => {
    const { root } = kernel.f;
    const started = kernel.begin(group.size / (along ? 1 : 4));
    begun = started;
    const dealt = part && { ...part, ...deal };
    const visitRow = (scope: Scope, coordinates: readonly Coordinate[]) => visit(scope, [{ coordinates, valid: 1 }]);
    if (along) overScalars(root, rowLengths, visitRow, [], dealt);
    else overVectors(root, rowLengths, visit, unroll, [], dealt);
    started.end();
  });
}

function nothing(): never {
  throw new Error("internal: what is stored of a row is no term");
}

function strided(axes: Axes, access: Access | null): readonly number[] {
  const strides = access && axes.strides(access);
  if (strides === null) throw new Error("internal: a domain without its own order");
  return strides;
}
