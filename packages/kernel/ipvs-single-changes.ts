import type {
  IpvsChange,
  IpvsDestinationKey,
  IpvsDestinationSpec,
  IpvsService,
  IpvsServiceKey,
} from './ports/ipvs.ts';

/** What an adapter of IPVS need not say for each change by itself: one is many of one. */
export abstract class SingleIpvsChanges {
  abstract change(changes: readonly IpvsChange[]): void;

  addService(service: IpvsService): void {
    this.change([{ op: 'add-service', service }]);
  }

  setService(service: IpvsService): void {
    this.change([{ op: 'set-service', service }]);
  }

  deleteService(service: IpvsServiceKey): void {
    this.change([{ op: 'delete-service', service }]);
  }

  addDestination(service: IpvsServiceKey, destination: IpvsDestinationSpec): void {
    this.change([{ op: 'add-destination', service, destination }]);
  }

  setDestination(service: IpvsServiceKey, destination: IpvsDestinationSpec): void {
    this.change([{ op: 'set-destination', service, destination }]);
  }

  deleteDestination(service: IpvsServiceKey, destination: IpvsDestinationKey): void {
    this.change([{ op: 'delete-destination', service, destination }]);
  }
}
