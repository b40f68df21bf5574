/**
 * Texts of alert labels and annotations: the part of Go's text/template that rules use most.
 *
 *   parseTemplate('{{ $labels.pod }} at {{ $value | humanizePercentage }}')
 *   renderTemplate(template, { labels: [['pod', 'a-1']], value: 0.5, ... })   ->  'a-1 at 50%'
 *
 * What is not supported is refused at parse with its position, never printed as it stands.
 */
import { errorMessage } from '#model/errors.ts';
import { type Labels, labelValue } from '#model/labels.ts';
import { parseAction, type TemplateNode } from './parser.ts';
import { scanTemplate, TemplateError } from './scanner.ts';
import { RenderError, renderValue, type TemplateValue } from './value.ts';

/** Longer texts are no alert texts, and every alert of every evaluation renders them. */
const templateCharsMax = 16_384;

export interface Template {
  readonly source: string;
  readonly parts: readonly (string | TemplateNode)[];
}

export interface TemplateData {
  /** The labels of the result, before the rule's own are added; an absent label prints as nothing. */
  readonly labels: Labels;
  readonly value: number;
  readonly externalLabels: Labels;
  readonly externalUrl: string;
}

/** Returns the tree of a template. Throws TemplateError with what is not supported and where. */
export function parseTemplate(source: string): Template {
  if (source.length > templateCharsMax) {
    throw new TemplateError(
      `a template may have ${templateCharsMax} characters, not ${source.length}`,
      templateCharsMax,
    );
  }
  const parts = scanTemplate(source).map((part) =>
    part.kind === 'text' ? part.text : parseAction(part.tokens),
  );
  return { source, parts };
}

/** Fills a template in. A function that fails leaves its error as the text, as in Prometheus: an alert must go out. */
export function renderTemplate(template: Template, data: TemplateData): string {
  try {
    let out = '';
    for (const part of template.parts)
      out += typeof part === 'string' ? part : renderValue(evaluate(part, data));
    return out;
  } catch (error) {
    if (error instanceof RenderError) return `<error expanding template: ${errorMessage(error)}>`;
    throw error;
  }
}

function evaluate(node: TemplateNode, data: TemplateData): TemplateValue {
  switch (node.kind) {
    case 'label':
      return labelValue(node.from === 'alert' ? data.labels : data.externalLabels, node.name);
    case 'value':
      return data.value;
    case 'externalUrl':
      return data.externalUrl;
    case 'literal':
      return node.value;
    case 'call':
      return node.function.call(node.args.map((argument) => evaluate(argument, data)));
    default:
      throw new Error(`BUG: a template node of kind ${(node satisfies never as TemplateNode).kind}`);
  }
}
