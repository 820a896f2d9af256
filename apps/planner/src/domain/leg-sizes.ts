import type { Instance } from './instances.js';
import type { LaneSubject } from './lane-subject.js';
import { fitsSurely, mostBytesOf } from './step-maker.js';
import type { WantedImage } from './wanted-image.js';

/** Whether the steps of an instance's legs fit into messages, leg after leg: each has to do with the version before it, too. */
export class LegSizes {
  /** Upper bound of what the version before takes. */
  private before: number;

  constructor({ oldVersion, container }: LaneSubject) {
    this.before = mostBytesOf(oldVersion) + mostBytesOf(container.containerId);
  }

  /** Of the next leg; false: its steps have to be made to be sure. */
  fits(
    { id, component, container, keptName, wanted }: Instance,
    { identity }: WantedImage,
  ): boolean {
    const own =
      mostBytesOf(wanted) +
      mostBytesOf(identity) +
      // a container that is still to be made is known by its lane, which has the instance's name
      mostBytesOf(id) +
      mostBytesOf(container) +
      mostBytesOf(keptName);
    const both = this.before + own;
    this.before = own;
    return fitsSurely(component, both);
  }
}
