export { COMPONENTS, type Component } from './components.ts';
export { freePort } from './free-port.ts';
export { type InstallOptions, installOpenBao, OPEN_BAO_VERSION } from './open-bao/install.ts';
export { type OpenBaoServer, type StartOpenBaoOptions, startOpenBao } from './open-bao/start.ts';
export { RealStackError, type RealStackErrorCode } from './real-stack-error.ts';
