import { Wheel } from "../../lib/time/wheel.ts";
import { simulate } from "./simulate.ts";
import { Process } from "./process.ts";
(globalThis as any).LOUD=1;
const P=Wheel.prototype as any;
for (const m of ["hasten","set","add","remove"]) { const o=P[m]; P[m]=function(...a:any[]){ const r=o.apply(this,a); console.log("   ",m,...a.map((x:any)=>typeof x==="object"?"":x), "->", r); return r; } }
const w=Process.prototype.wakeAfter; Process.prototype.wakeAfter=function(d:any,f:any){ console.log('   wake',this.name,d,"at",this.now()); const r=w.call(this,d,()=>{console.log('   woken',this.name,this.now());f()}); return {cancel:()=>{console.log("   cancel",this.name);r.cancel()}} };
await simulate(Number(process.argv[2]), true);
