#!/usr/bin/env node
import { resolve } from 'node:path';
import { writeTables } from './module-docs.ts';

writeTables(resolve(import.meta.dirname, '..', '..', '..', '..', 'infrastructure', 'terraform'));
