/** GET /api/v1/openapi.yaml: the endpoints of this API as an OpenAPI 3.1 document, made from operations.ts. */
import type { FastifyInstance } from 'fastify';
import { stringify } from 'yaml';
import { type Operation, operations, parameterFacts } from './operations.ts';
import { prometheusVersion } from './status.ts';

export function addOpenApiRoute(scope: FastifyInstance): void {
  scope.get('/api/v1/openapi.yaml', (request, reply) => {
    const base = `${request.protocol}://${request.host}${request.url.replace(/\/openapi\.yaml.*$/, '')}`;
    return reply
      .type('application/yaml')
      .send(stringify(createDocument(base), { aliasDuplicateObjects: false }));
  });
}

export function createDocument(baseUrl: string): object {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Prometheus API',
      description: "Prometheus's HTTP API as Sonde answers it.",
      version: prometheusVersion,
    },
    servers: [{ url: baseUrl }],
    paths: Object.fromEntries(operations.map((operation) => [operation.path, toPath(operation)])),
    components: {
      schemas: {
        Success: {
          type: 'object',
          required: ['status'],
          properties: {
            status: { const: 'success' },
            data: {},
            warnings: { type: 'array', items: { type: 'string' } },
            infos: { type: 'array', items: { type: 'string' } },
          },
        },
        Error: {
          type: 'object',
          required: ['status', 'errorType', 'error'],
          properties: {
            status: { const: 'error' },
            errorType: { type: 'string' },
            error: { type: 'string' },
          },
        },
      },
    },
  };
}

function toPath(operation: Operation): object {
  return Object.fromEntries(
    operation.methods.map((method) => [method.toLowerCase(), toOperation(operation, method)]),
  );
}

function toOperation({ path, tag, summary, parameters, answers }: Operation, method: string): object {
  const pathNames = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!);
  const name = path.replace(/^\//, '').replace(/\W+/g, '_').replace(/_$/, '');
  const inPath = pathNames.map((one) => ({
    name: one,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
  const responses = {
    [answers === 'nothing' ? '204' : '200']: toResponse(answers),
    default: { description: 'Error', content: contentOf('application/json', 'Error') },
  };
  const operation = { operationId: `${method.toLowerCase()}_${name}`, tags: [tag], summary };
  if (method === 'GET' || answers === 'nothing') {
    const inQuery = parameters.map((one) => ({ name: one, in: 'query', ...toParameter(one) }));
    return { ...operation, parameters: [...inPath, ...inQuery], responses };
  }
  if (parameters.length === 0) return { ...operation, parameters: inPath, responses };
  const properties = Object.fromEntries(parameters.map((one) => [one, toParameter(one).schema]));
  const form = { 'application/x-www-form-urlencoded': { schema: { type: 'object', properties } } };
  return { ...operation, parameters: inPath, requestBody: { content: form }, responses };
}

function toParameter(name: string): { description: string; schema: object } {
  const [schema, description] = parameterFacts[name] ?? [{ type: 'string' }, name];
  return { description, schema };
}

function toResponse(answers: Operation['answers']): object {
  switch (answers) {
    case 'json':
      return { description: 'Success', content: contentOf('application/json', 'Success') };
    case 'nothing':
      return { description: 'Done' };
    default:
      return { description: 'Success', content: { [answers]: { schema: { type: 'string' } } } };
  }
}

function contentOf(type: string, schema: string): object {
  return { [type]: { schema: { $ref: `#/components/schemas/${schema}` } } };
}
