// The types of the console: paths, bodies and responses are those of openapi/v2.json. A path that the document does not have, a field that a
// response does not have and a body that an operation does not accept are errors.
import type { components, paths } from '../generated/api';

// ---- paths: from the template literal of a call to the path of the document ---------------------------------------------

/** The path below /v2, without its query. */
type Resource<Path extends string> = Path extends `/v2${infer Rest}` ? (Rest extends `${infer Base}?${string}` ? Base : Rest) : never;
type Segments<Path extends string> = Path extends `${infer Head}/${infer Tail}` ? [Head, ...Segments<Tail>] : [Path];
type Matches<Template extends unknown[], Path extends unknown[]> =
  Template extends [infer T, ...infer TemplateRest]
    ? Path extends [infer P, ...infer PathRest]
      ? T extends `{${string}}` ? Matches<TemplateRest, PathRest> : P extends T ? Matches<TemplateRest, PathRest> : false
      : false
    : Path extends [] ? true : false;
type Literal<Segment> = Segment extends [] ? true : Segment extends [infer S, ...infer Rest] ? (S extends `{${string}}` ? false : Literal<Rest>) : never;
type Templates<Path extends string> = { [T in keyof paths & string]: Matches<Segments<T>, Segments<Resource<Path>>> extends true ? T : never }[keyof paths & string];
type Exact<T extends string> = T extends unknown ? (Literal<Segments<T>> extends true ? T : never) : never;
/** The path of the document; one without parameters wins. */
type PathOf<Path extends string> = [Exact<Templates<Path>>] extends [never] ? Templates<Path> : Exact<Templates<Path>>;

type Operation<Path extends string, Method extends string> = PathOf<Path> extends infer T extends keyof paths
  ? Lowercase<Method> extends keyof paths[T] ? paths[T][Lowercase<Method>] : never
  : never;
type Json<Response> = Response extends { content: { 'application/json': infer Body } } ? Body : never;
type Success<Responses> = { [S in keyof Responses]: S extends 200 | 201 | 202 ? Json<Responses[S]> : never }[keyof Responses];
type ResponseBody<Path extends string, Method extends string> = string extends Path ? any
  : Path extends `/v2/${string}` ? Operation<Path, Method> extends { responses: infer Responses } ? Success<Responses> : never
  : any;
type RequestBody<Path extends string, Method extends string> = string extends Path ? unknown
  : Operation<Path, Method> extends { requestBody: { content: infer Content } } ? Content[keyof Content] : undefined;

/** An impossible type for a path that the document does not have. */
type Known<Path extends string, Method extends string> = string extends Path ? unknown
  : Path extends `/v2/${string}` ? ([PathOf<Path>] extends [never] ? 'not a path of openapi/v2.json' : unknown) : unknown;

declare global {
  type Schema<Name extends keyof components['schemas']> = components['schemas'][Name];
  type Cell = Node | string | null | undefined | Cell[];

  interface Column<Row> {
    title: string;
    cell(row: Row): Cell;
    className?: string;
    head?: Node;
    /** Selects columns by grouping. */
    key?: string;
  }

  interface ListOptions<Path extends string> {
    root: HTMLElement;
    label: string;
    columns: Column<ResponseBody<Path, 'GET'> extends { data: (infer Row)[] } ? Row : any>[];
    path(): Path & Known<Path, 'GET'>;
    empty: string;
    emptyTitle?: string;
    isFiltered?(): boolean;
    noMatch?(): { title: string; text: string } | null;
    clear?: (() => unknown) | null;
    onPage?(page: ResponseBody<Path, 'GET'>): void;
    read?(path: Path & Known<Path, 'GET'>): Promise<{ data: unknown[]; links: { next: string | null } }>;
  }

  interface CallOptions<Path extends string, Method extends string> {
    method?: Method;
    accept?: string;
    headers?: Record<string, string>;
    body?: RequestBody<Path, Method> | null;
  }

  interface AdminConsole {
    call<const Path extends string, Method extends string = 'GET'>(path: Path & Known<Path, Method>, options?: CallOptions<Path, Method>): Promise<Response>;
    json<const Path extends string, Method extends string = 'GET'>(path: Path & Known<Path, Method>, options?: CallOptions<Path, Method>): Promise<ResponseBody<Path, Method>>;
    list<const Path extends string>(options: ListOptions<Path>): { reload(): Promise<void>; replace(element: Element, value: unknown, movesFocus?: boolean): Element | null };
    filled<Row>(label: string, columns: Column<NoInfer<Row>>[], rows: Row[]): HTMLTableElement;
    element(id: string): any;
    currentUser(): Schema<'User'>;
    say(text: string, isError?: boolean, actions?: Node[]): undefined;
    [name: string]: any;
  }

  interface Window {
    BucketList: any;
    BucketListConsole: AdminConsole;
    BucketListPage: any;
  }
}

export {};
