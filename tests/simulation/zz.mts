import { World } from "./world.ts";
import { Process } from "./process.ts";
import { simulate } from "./simulate.ts";
import { MemorySocket } from "../../lib/transport/memory_socket.ts";
const n={at:0,enter:0,apps:0,turns:0};
const o=World.prototype.at; World.prototype.at=function(...a:any){n.at++; return (o as any).apply(this,a)};
const e=Process.prototype.enter; Process.prototype.enter=function(...a:any){n.enter++; return (e as any).apply(this,a)};
const hist:number[]=[];
for(let s=0;s<300;s++) await simulate(s);
n.at=n.enter=0;
const c=process.cpuUsage(), t=performance.now();
for(let s=1000;s<1500;s++) { const b=n.at; await simulate(s); hist.push(n.at-b); }
const d=process.cpuUsage(c);
console.log("cpu ms/seed",(d.user+d.system)/500e3, "wall", (performance.now()-t)/500);
hist.sort((a,b)=>a-b);
console.log(n.at/500,n.enter/500, hist[250],hist[450],hist[490],hist[499]);
