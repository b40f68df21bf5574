/**
 * What the labels of a page's series become, by their names: where the target's stand among them, which are renamed, and in
 * what order all are. Most series of a page have the names of the one before.
 *
 *   names {code, job} of a target {job: api}  ->  code, exported_job = the page's, job = api
 *
 * A node stands for the names that were read so far; its children are those that were seen behind them.
 */
import { type Labels, metricNameLabel } from '#model/labels.ts';
import { ConstantTexts } from './label-texts.ts';
import { withHonoredLabels, withTargetLabels } from './series-admission.ts';

/** One label of the series, in the order of their names. */
export interface ShapeLabel {
  readonly name: number;
  /** Which of the page's values it has, or -1. The metric's name is 0. */
  readonly pageValue: number;
  /** The value where it is the target's. */
  readonly value: number;
}

export interface Shape {
  readonly labels: readonly ShapeLabel[];
  /** Whether an empty value would change more than that its label is absent. */
  readonly needsValues: boolean;
  /** Which of the page's values is that of le and of quantile; -1 where there is none. */
  readonly le: number;
  readonly quantile: number;
}

export interface ShapeNode {
  readonly name: Uint8Array;
  /** The child that was taken last stands first. */
  readonly children: ShapeNode[];
  /** Undefined until it is asked for; false where such series must be read as text. */
  shape: Shape | false | undefined;
  readonly names: readonly string[];
}

/** A page whose label names change all the time would fill the memory: then all are forgotten. */
const nodesMax = 4096;
const constantsMax = 8192;

export class LabelShapes {
  readonly #targetLabels: Labels;
  readonly #isHonoringLabels: boolean;
  constants = new ConstantTexts();
  root = newNode([]);
  #nodeCount = 0;

  constructor(targetLabels: Labels, isHonoringLabels: boolean) {
    this.#targetLabels = targetLabels;
    this.#isHonoringLabels = isHonoringLabels;
  }

  /** Forgets all where there is too much. Asked between series. */
  bound(): void {
    if (this.#nodeCount <= nodesMax && this.constants.count <= constantsMax) return;
    this.constants = new ConstantTexts();
    this.root = newNode([]);
    this.#nodeCount = 0;
  }

  /** Adds the names of `node` with one more behind them. */
  addChild(node: ShapeNode, name: Uint8Array): ShapeNode {
    const child = newNode([...node.names, Buffer.from(name).toString('latin1')], Uint8Array.from(name));
    node.children.unshift(child);
    this.#nodeCount++;
    return child;
  }

  /** Returns the shape of the names of `node`, or false where a name stands twice. */
  shapeOf(node: ShapeNode): Shape | false {
    node.shape ??= this.#makeShape([metricNameLabel, ...node.names]);
    return node.shape;
  }

  #makeShape(names: readonly string[]): Shape | false {
    const values = new Map(names.map((name, i) => [name, `page ${i}`]));
    if (values.size < names.length) return false;
    const own = new Set(this.#targetLabels.map(([name]) => name));
    const merge = this.#isHonoringLabels ? withHonoredLabels : withTargetLabels;
    // The target's labels get values here that no page value can be taken for.
    const target = this.#targetLabels.map(([name], i) => [name, `target ${i}`] as const);
    return {
      labels: merge(values, target).map(([name, value]) => this.#shapeLabel(name, value)),
      needsValues: !this.#isHonoringLabels && names.some((name) => own.has(name)),
      le: names.indexOf('le'),
      quantile: names.indexOf('quantile'),
    };
  }

  #shapeLabel(name: string, value: string): ShapeLabel {
    const [source, number] = value.split(' ') as [string, string];
    const isOfPage = source === 'page';
    return {
      name: this.constants.of(name),
      pageValue: isOfPage ? Number(number) : -1,
      value: isOfPage ? -1 : this.constants.of(this.#targetLabels[Number(number)]![1]),
    };
  }
}

function newNode(names: readonly string[], name: Uint8Array = new Uint8Array(0)): ShapeNode {
  return { name, children: [], shape: undefined, names };
}
