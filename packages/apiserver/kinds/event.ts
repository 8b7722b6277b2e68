import type { JsonObject } from '#kube-api';
import { EVENTS, EVENTS_EVENTS, type Event, type EventsEvent } from '#kube-api';
import { defineKind } from '../registry/kind.ts';
import { ageSince, type Column, text } from '../table/column.ts';
import { invalidValue, required } from '../validation/field-error.ts';
import { dnsSubdomain } from '../validation/names.ts';

const columns: readonly Column<Event>[] = [
  text('Last Seen', lastSeen),
  text('Type', ({ type }) => type ?? ''),
  text('Reason', ({ reason }) => reason ?? ''),
  text('Object', ({ involvedObject }) =>
    involvedObject.name === undefined
      ? (involvedObject.kind ?? '').toLowerCase()
      : `${(involvedObject.kind ?? '').toLowerCase()}/${involvedObject.name}`,
  ),
  text('Subobject', ({ involvedObject }) => involvedObject.fieldPath ?? '', { wide: true }),
  text('Source', sourceColumn, { wide: true }),
  text('Message', ({ message }) => (message ?? '').trim()),
  text('First Seen', ({ firstTimestamp, eventTime }, now) => ageSince(firstTimestamp ?? eventTime, now), {
    wide: true,
  }),
  {
    name: 'Count',
    type: 'integer',
    description: 'Count',
    wide: true,
    value: ({ count, series }) => series?.count ?? count ?? 1,
  },
  { ...text<Event>('Name', ({ metadata }) => metadata.name ?? '', { wide: true }), format: 'name' },
];

export const event = defineKind<Event>({
  resource: EVENTS,
  definition: 'io.k8s.api.core.v1.Event',
  singular: 'event',
  shortNames: ['ev'],
  nameRule: dnsSubdomain,
  selectableFields: [
    'involvedObject.kind',
    'involvedObject.namespace',
    'involvedObject.name',
    'involvedObject.uid',
    'involvedObject.apiVersion',
    'involvedObject.resourceVersion',
    'involvedObject.fieldPath',
    'reason',
    'reportingComponent',
    'source',
    'type',
  ],
  validate({ metadata, involvedObject }) {
    if (involvedObject === undefined) return [required('involvedObject')];
    const namespace = involvedObject.namespace ?? 'default';
    return metadata.namespace === namespace || (involvedObject.namespace ?? '') === ''
      ? []
      : [
          invalidValue(
            'involvedObject.namespace',
            involvedObject.namespace,
            'does not match event.namespace',
          ),
        ];
  },
  columns,
});

/** The same objects in the shape of events.k8s.io/v1. Source: pkg/apis/events/v1/conversion.go. */
export const eventsEvent = defineKind<EventsEvent>({
  resource: EVENTS_EVENTS,
  definition: 'io.k8s.api.events.v1.Event',
  singular: 'event',
  shortNames: ['ev'],
  nameRule: dnsSubdomain,
  storedAs: {
    kind: event,
    toStored: (object) => renamed(object as unknown as JsonObject, TO_STORED, 'v1'),
    fromStored: (object) => renamed(object, FROM_STORED, 'events.k8s.io/v1') as unknown as EventsEvent,
  },
  selectableFields: [
    'reason',
    'regarding.kind',
    'regarding.name',
    'regarding.namespace',
    'regarding.uid',
    'reportingController',
    'type',
  ],
  columns: columns.map((column) => ({
    ...column,
    value: (object, now) =>
      column.value(renamed(object as unknown as JsonObject, TO_STORED, 'v1') as unknown as Event, now),
  })),
});

const TO_STORED: Readonly<Record<string, string>> = {
  regarding: 'involvedObject',
  note: 'message',
  deprecatedSource: 'source',
  deprecatedFirstTimestamp: 'firstTimestamp',
  deprecatedLastTimestamp: 'lastTimestamp',
  deprecatedCount: 'count',
  reportingController: 'reportingComponent',
};
const FROM_STORED: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(TO_STORED).map(([to, from]) => [from, to]),
);

function renamed(
  object: JsonObject,
  names: Readonly<Record<string, string>>,
  apiVersion: string,
): JsonObject {
  const entries = Object.entries(object).map(([key, value]) => [names[key] ?? key, value]);
  return { ...Object.fromEntries(entries), apiVersion, kind: 'Event' };
}

function lastSeen({ series, lastTimestamp, eventTime, firstTimestamp }: Event, now: number): string {
  if (series !== undefined && series.lastObservedTime !== undefined)
    return `${ageSince(series.lastObservedTime, now)} (x${series.count ?? 1} over ${ageSince(eventTime ?? firstTimestamp, now)})`;
  return ageSince(lastTimestamp ?? eventTime ?? firstTimestamp, now);
}

function sourceColumn({ source, reportingComponent, reportingInstance }: Event): string {
  const component = source?.component ?? reportingComponent ?? '';
  const host = source?.host ?? reportingInstance ?? '';
  return host === '' ? component : `${component}, ${host}`;
}
