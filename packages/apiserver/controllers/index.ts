export { type ControllersConfig, type ControllersDeps, startControllers } from './start-controllers.ts';
